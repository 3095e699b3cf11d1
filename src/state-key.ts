/** What is derived from one secret. */
export type StateKey = Readonly<{
  /** A name that only the holder of the secret can compute: half of an HMAC-SHA-256, in hexadecimal. */
  placeOf: (parts: readonly string[]) => Promise<string>;
  /** Encrypts with AES-256-GCM: 12 random bytes, then the ciphertext with its tag. The place is authenticated, too. */
  seal: (place: string, text: string) => Promise<Uint8Array<ArrayBuffer>>;
  /** `undefined` if it was sealed with another secret, for another place, or has been changed. */
  open: (place: string, sealed: Uint8Array<ArrayBuffer>) => Promise<string | undefined>;
}>;

const IV_BYTES = 12;
const TAG_BYTES = 16;
const PLACE_BYTES = 16;
/** Names the purpose of each derived key (RFC 5869 section 3.2). */
const INFO = { names: 'openai-mcp-gateway state names', content: 'openai-mcp-gateway state content' };

/** The same for several secrets: the first is the current one, and what the others have sealed can still be opened. */
export type StateKeys = Readonly<{
  /** One place for each secret. */
  placesOf: (parts: readonly string[]) => Promise<string[]>;
  seal: StateKey['seal'];
  open: StateKey['open'];
}>;

export function createStateKeys(secrets: readonly string[]): StateKeys {
  const keys = secrets.map(createStateKey);
  return {
    placesOf: (parts) => Promise.all(keys.map((key) => key.placeOf(parts))),
    async seal(place, text) {
      const [current] = keys;
      if (!current) throw new Error('There is no secret for state.');
      return current.seal(place, text);
    },
    async open(place, sealed) {
      for (const key of keys) {
        const text = await key.open(place, sealed);
        if (text !== undefined) return text;
      }
      return undefined;
    },
  };
}

/** Derives the keys by HKDF-SHA-256 (RFC 5869) when they are first needed. */
export function createStateKey(secret: string): StateKey {
  let derived: Keys | undefined;
  // Not a shared promise: on workerd, one that belongs to another request may never resolve.
  const keys = async () => {
    derived ??= await derive(secret);
    return derived;
  };
  return {
    async placeOf(parts) {
      const mac = await crypto.subtle.sign('HMAC', (await keys()).names, encode(JSON.stringify(parts)));
      return new Uint8Array(mac, 0, PLACE_BYTES).toHex();
    },
    async seal(place, text) {
      const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
      const ciphertext = await crypto.subtle.encrypt(algorithm(place, iv), (await keys()).content, encode(text));
      const sealed = new Uint8Array(IV_BYTES + ciphertext.byteLength);
      sealed.set(iv);
      sealed.set(new Uint8Array(ciphertext), IV_BYTES);
      return sealed;
    },
    async open(place, sealed) {
      if (sealed.byteLength < IV_BYTES + TAG_BYTES) return undefined;
      const [iv, ciphertext] = [sealed.subarray(0, IV_BYTES), sealed.subarray(IV_BYTES)];
      const { content } = await keys();
      const text = await crypto.subtle.decrypt(algorithm(place, iv), content, ciphertext).catch(() => undefined);
      return text && new TextDecoder().decode(text);
    },
  };
}

type Keys = Readonly<{ names: CryptoKey; content: CryptoKey }>;

async function derive(secret: string): Promise<Keys> {
  const source = await crypto.subtle.importKey('raw', encode(secret), 'HKDF', false, ['deriveKey']);
  const hkdf = (info: string) => ({ name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info: encode(info) });
  const [names, content] = await Promise.all([
    crypto.subtle.deriveKey(hkdf(INFO.names), source, { name: 'HMAC', hash: 'SHA-256', length: 256 }, false, ['sign']),
    crypto.subtle.deriveKey(hkdf(INFO.content), source, { name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']),
  ]);
  return { names, content };
}

function algorithm(place: string, iv: Uint8Array<ArrayBuffer>): AesGcmParams {
  return { name: 'AES-GCM', iv, additionalData: encode(place) };
}

function encode(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}
