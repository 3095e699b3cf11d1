/** How many words differ between a text and what was said, beside how many the text has. */
export type Deviation = Readonly<{ differing: number; of: number }>;

/** Longer texts are compared up to here: the comparison takes as many steps as the product of both lengths. */
const MAX_WORDS = 2_000;

/**
 * Compares a text with the transcript of what was said, without case, punctuation and accents. `undefined` when the words
 * are the same. Numbers and abbreviations count as differing where the transcript spells them in another way.
 */
export function deviationOf(text: string, transcript: string): Deviation | undefined {
  const [expected, said] = [wordsOf(text), wordsOf(transcript)];
  const differing = Math.max(expected.length, said.length) - commonLength(expected, said);
  return differing === 0 ? undefined : { differing, of: expected.length };
}

function wordsOf(text: string): string[] {
  const plain = text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
  return (plain.match(/[\p{L}\p{N}]+/gu) ?? []).slice(0, MAX_WORDS);
}

/** The length of the longest common subsequence. */
function commonLength(a: readonly string[], b: readonly string[]): number {
  let row = new Uint16Array(b.length + 1);
  for (const word of a) {
    const next = new Uint16Array(b.length + 1);
    for (let at = 0; at < b.length; at++) next[at + 1] = word === b[at] ? (row[at] ?? 0) + 1 : Math.max(row[at + 1] ?? 0, next[at] ?? 0);
    row = next;
  }
  return row[b.length] ?? 0;
}
