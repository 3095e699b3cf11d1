import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { splitText } from '../../src/tools/split-text.ts';

const withoutSpace = (text: string) => text.replace(/\s/g, '');
const SENTENCE = 'The lamp of the lighthouse turns all night long. ';
const PARAGRAPH = `${SENTENCE.repeat(5).trim()}\n\n`;

describe('any text', () => {
  const texts = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 400 }),
    fc.string({ unit: 'binary', maxLength: 400 }),
    fc
      .array(fc.constantFrom('a', ' ', '\n', '\n\n', '. ', ', ', '。', '，', '👩‍👩‍👧', 'é', '(', '"'), { maxLength: 400 })
      .map((all) => all.join('')),
  );

  test('is whole but for white space where it is split, in pieces within the limit', () => {
    fc.assert(
      fc.property(texts, fc.integer({ min: 8, max: 120 }), (text, maxLength) => {
        const pieces = splitText(text, maxLength);
        expect(withoutSpace(pieces.join(''))).toBe(withoutSpace(text));
        let rest = text;
        for (const piece of pieces) {
          expect(piece.length).toBeLessThanOrEqual(maxLength);
          expect(piece.trim()).toBe(piece);
          expect(piece).not.toBe('');
          rest = rest.trimStart();
          expect(rest.startsWith(piece)).toBe(true);
          rest = rest.slice(piece.length);
        }
      }),
    );
  });

  test('has no broken surrogate pairs', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 400 }), fc.integer({ min: 8, max: 60 }), (text, maxLength) => {
        expect(splitText(text, maxLength).every((piece) => piece.isWellFormed())).toBe(true);
      }),
    );
  });
});

describe('ends each piece where its text does', () => {
  test.each<[string, string, RegExp]>([
    ['paragraphs', PARAGRAPH.repeat(200), /\.$/],
    ['sentences', SENTENCE.repeat(1_000), /\.$/],
    ['sentences in quotation marks', `“${SENTENCE.trim()}” `.repeat(1_000), /\.”$/],
    ['Chinese', '灯塔的灯整夜旋转，照亮了大海。'.repeat(3_000), /。$/],
    ['Japanese in brackets', '「灯台の灯りは一晩中回り続ける。」'.repeat(3_000), /。」$/],
    ['Hindi', 'प्रकाशस्तंभ का दीपक रात भर घूमता है। '.repeat(1_000), /।$/],
    ['lines without stops', 'The lamp turns all night\n'.repeat(2_000), /night$/],
    ['clauses', 'the lamp turns all night, '.repeat(2_000), /,$/],
    ['words', 'lighthouse '.repeat(5_000), /lighthouse$/],
  ])('%s', (_, text, expected) => {
    const pieces = splitText(text, 2_000);
    expect(pieces.length).toBeGreaterThan(20);
    for (const piece of pieces) expect(piece).toMatch(expected);
  });

  test('the paragraph rather than the sentence', () => {
    for (const piece of splitText(PARAGRAPH.repeat(200), 2_000)) expect((piece.length + 2) % PARAGRAPH.length).toBe(0);
  });

  test('without any, never within a character that is made of several', () => {
    const family = '👨‍👩‍👧‍👦';
    for (const piece of splitText(family.repeat(2_000), 2_000)) expect(piece.length % family.length).toBe(0);
  });
});

test('pieces are of similar length: none is tiny, and few are needed', () => {
  for (const length of [4_097, 5_000, 6_001, 20_000, 100_000]) {
    const pieces = splitText(SENTENCE.repeat(Math.ceil(length / SENTENCE.length)).slice(0, length), 2_000);
    const lengths = pieces.map((piece) => piece.length);
    expect(Math.min(...lengths)).toBeGreaterThan(Math.max(...lengths) * 0.9);
    expect(pieces.length).toBe(Math.ceil(length / 1_800));
  }
});

test('what has nothing to say has no pieces', () => {
  expect(splitText(' \n '.repeat(10_000), 2_000)).toEqual([]);
});

test.each([
  ['letters', 'a'],
  ['white space', ' '],
  ['lines', '\n'],
  ['combining marks', '\u0301'],
  ['brackets after a full stop', '.)'],
])('takes linear time for nothing but %s', (_, unit) => {
  // 100,000 characters take some milliseconds; in quadratic time, this would take hours.
  const pieces = splitText(unit.repeat(2_000_000), 2_000);
  expect(pieces.join('').length).toBeLessThanOrEqual(unit.length * 2_000_000);
});
