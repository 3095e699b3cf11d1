import fc from 'fast-check';
import { expect, test } from 'vitest';
import { verifyKeys } from '../../src/auth/keys.ts';
import { testRuntime } from '../support.ts';

const runtime = testRuntime();
const principalOf = (id: string) => ({ id, name: id, limits: {} });
/** What `printf %s key-of-carol | sha256sum` prints. */
const CAROLS_DIGEST = '578bf4884467dbb6929c1e455931841dd606f0a38d410375e84925e523e7c407';

test('only the key itself is accepted', async () => {
  const keys = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 80 });
  await fc.assert(
    fc.asyncProperty(keys, keys, async (key, other) => {
      const verify = verifyKeys([{ principal: principalOf('alice'), secret: { key }, expiresMs: undefined }], runtime);
      expect(await verify(key)).toMatchObject({ id: 'alice' });
      for (const wrong of [other, '', key + key, key.slice(1), key.slice(0, -1), `${key}${key[0]}`, key.toUpperCase()]) {
        if (wrong !== key) expect(await verify(wrong)).toBeUndefined();
      }
    }),
  );
});

test('each key leads to its own principal, in clear or as a digest', async () => {
  const names = Array.from({ length: 500 }, (_, number) => `name-${number}`);
  const verify = verifyKeys(
    [
      ...names.map((name) => ({ principal: principalOf(name), secret: { key: `key-of-${name}` }, expiresMs: undefined })),
      { principal: principalOf('carol'), secret: { sha256: CAROLS_DIGEST }, expiresMs: undefined },
    ],
    runtime,
  );
  const found = await Promise.all([...names, 'carol', 'nobody'].map((name) => verify(`key-of-${name}`)));
  expect(found).toEqual([...[...names, 'carol'].map(principalOf), undefined]);
  // The digest is no key.
  expect(await verify(CAROLS_DIGEST)).toBeUndefined();
});
