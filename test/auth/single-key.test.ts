import fc from 'fast-check';
import { expect, test } from 'vitest';
import { verifySingleKey } from '../../src/auth/single-key.ts';

test('only the key itself is accepted', async () => {
  const keys = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 80 });
  await fc.assert(
    fc.asyncProperty(keys, keys, async (key, other) => {
      const verify = verifySingleKey(key);
      expect(await verify(key)).toMatchObject({ id: 'default' });
      for (const wrong of [other, '', key + key, key.slice(1), key.slice(0, -1), `${key}${key[0]}`, key.toUpperCase()]) {
        if (wrong !== key) expect(await verify(wrong)).toBeUndefined();
      }
    }),
  );
});
