/** Where a text is best split, in this order: after paragraphs, after sentences and lines, after clauses, between words. */
const BREAKS = [/\n\s*\n/gu, /[.!?…]["'”’»)\]]*\s|[。！？｡]["”’」』）]*|[।؟۔]|\n/gu, /[,;:–—]\s|[，、；：]/gu, /\s/gu];
/** How full pieces are on average, which leaves room to end each where its text does. */
const FILL = 0.9;
/** No character that is made of several is longer, such as a family in emoji. */
const MAX_GRAPHEME_LENGTH = 64;

let segmenter: Intl.Segmenter | undefined;

/**
 * Splits a text into pieces of similar length, of at most `maxLength` UTF-16 units: at the end of a paragraph if there is
 * one, else of a sentence, a clause or a word. Joined, they are the text but for white space where it was split. Takes
 * linear time.
 */
export function splitText(text: string, maxLength: number): string[] {
  const pieces: string[] = [];
  for (let start = 0; start < text.length; ) {
    const end = endOfPiece(text, start, maxLength);
    const piece = text.slice(start, end).trim();
    if (piece) pieces.push(piece);
    start = end;
  }
  return pieces;
}

function endOfPiece(text: string, start: number, maxLength: number): number {
  const left = text.length - start;
  if (left <= maxLength) return text.length;
  const target = left / Math.ceil(left / (maxLength * FILL));
  const from = start + Math.floor(target / 2);
  const window = text.slice(from, Math.min(start + maxLength, text.length - Math.floor(target / 2)));
  const middle = start + target - from;
  for (const pattern of BREAKS) {
    const ends = Array.from(window.matchAll(pattern), ({ index, 0: { length } }) => index + length);
    if (ends.length > 0) return from + ends.reduce((best, end) => (Math.abs(end - middle) < Math.abs(best - middle) ? end : best));
  }
  return endOfCharacter(text, start, start + Math.floor(target));
}

/** The last place up to `end` that is not within what a reader sees as one character. */
function endOfCharacter(text: string, start: number, end: number): number {
  segmenter ??= new Intl.Segmenter(undefined, { granularity: 'grapheme' });
  const from = Math.max(start, end - MAX_GRAPHEME_LENGTH);
  const segments = segmenter.segment(text.slice(from, end + MAX_GRAPHEME_LENGTH));
  const last = segments.containing(end - from)?.index ?? 0;
  if (last > 0) return from + last;
  return /[\uDC00-\uDFFF]/.test(text.charAt(end)) ? end - 1 : end;
}
