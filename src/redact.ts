import { MAX_OUTSIDE_TEXT_CHARACTERS } from './limits.ts';

/** Makes outside text safe for clients and the log: truncated, without secrets, on one line. */
export type Redact = (text: string, maxCharacters?: number) => string;

/** Shorter values may be ordinary words. */
const MIN_SECRET_CHARACTERS = 6;
/** For tool results, where a word such as "ollama", used as a key by some servers, must survive. */
const MIN_MASKED_CHARACTERS = 16;
/** For a secret cut off by truncation; a shorter fragment reveals nothing. */
const MIN_FRAGMENT_CHARACTERS = 4;
const REPLACEMENT = '[key]';

/**
 * Removes the given secrets by value, and anything else that looks like a key, a bearer token, a SAS signature or inline
 * data. Runs in linear time, on text that is truncated first.
 */
export function createRedactor(secrets: readonly string[]): Redact {
  const known = spellingsOf(secrets, MIN_SECRET_CHARACTERS);
  const longest = known[0]?.length ?? 0;
  return (text, maxCharacters = MAX_OUTSIDE_TEXT_CHARACTERS) => {
    // Nearly every text: one test is cheaper than all the patterns.
    if (text.length <= maxCharacters && !MAY_MATCH.test(text) && !known.some((secret) => text.includes(secret))) return text;
    const bounded = text.length > maxCharacters + longest ? withoutFragment(text.slice(0, maxCharacters + longest), known) : text;
    return redactPatterns(replaceAll(bounded, known)).slice(0, maxCharacters);
  };
}

/**
 * Removes the secrets from every string of a value; returns the same value when there are none. For successful upstream
 * responses, such as a model that echoes a header.
 */
export function createMask(secrets: readonly string[]): <Value>(value: Value) => Value {
  const known = spellingsOf(secrets, MIN_MASKED_CHARACTERS);
  const mask = (value: unknown): unknown => {
    if (typeof value === 'string') return replaceAll(value, known);
    if (Array.isArray(value)) return value.map(mask);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [replaceAll(name, known), mask(item)]));
  };
  // Nearly always there are none, and to look for them needs no memory.
  return <Value>(value: Value) => (holds(value, known) ? (mask(value) as Value) : value);
}

function holds(value: unknown, secrets: readonly string[]): boolean {
  if (typeof value === 'string') return secrets.some((secret) => value.includes(secret));
  if (Array.isArray(value)) return value.some((item) => holds(item, secrets));
  if (typeof value !== 'object' || value === null) return false;
  for (const name in value) if (holds(name, secrets) || holds((value as Record<string, unknown>)[name], secrets)) return true;
  return false;
}

/** As they are, as they stand in URLs and in JSON; the longest first, as one may hold another. */
function spellingsOf(secrets: readonly string[], minCharacters: number): string[] {
  const all = secrets
    .filter(({ length }) => length >= minCharacters)
    .flatMap((secret) => {
      const encoded = encodeURIComponent(secret);
      return [secret, encoded, encoded.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()), JSON.stringify(secret).slice(1, -1)];
    });
  return [...new Set(all)].sort((a, b) => b.length - a.length);
}

function replaceAll(text: string, secrets: readonly string[]): string {
  return secrets.reduce((rest, secret) => (rest.includes(secret) ? rest.replaceAll(secret, REPLACEMENT) : rest), text);
}

/** Drops the start of a secret that truncation has left at the end. */
function withoutFragment(text: string, secrets: readonly string[]): string {
  for (const secret of secrets) {
    for (let length = secret.length - 1; length >= MIN_FRAGMENT_CHARACTERS; length--) {
      if (text.endsWith(secret.slice(0, length))) return text.slice(0, -length);
    }
  }
  return text;
}

/** Found in every text that `redactPatterns` changes. */
const MAY_MATCH = /[^\S ]| {2}|^ | $|sk-|\*\*|bearer |api[-_ ]key|sig|AccountKey|;base64,/i;

function redactPatterns(text: string): string {
  return (
    text
      .replace(/\s+/g, ' ')
      .trim()
      .replace(/\bsk-[\w*-]{4,}/g, REPLACEMENT)
      // Masked keys, of which servers show the first and last characters.
      .replace(/[\w.*-]+/g, (word) => (word.includes('**') ? REPLACEMENT : word))
      .replace(/\b(bearer) [\w.~+/=-]{8,}/gi, `$1 ${REPLACEMENT}`)
      .replace(/\b(api[-_ ]key(?: provided)?:?) [\w.~+/=-]{8,}/gi, `$1 ${REPLACEMENT}`)
      .replace(/\b(sig|signature|AccountKey)=[^&; "'\\]+/gi, '$1=[redacted]')
      .replace(/;base64,[\w+/=]+/g, ';base64,[data]')
  );
}
