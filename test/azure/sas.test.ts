import { expect, test } from 'vitest';
import { blobSasQuery, blobSasStringToSign, importAccountKey, sign } from '../../src/azure/sas.ts';

const FIELDS = {
  accountName: 'acme',
  container: 'media',
  blob: 'images/2026/11/22/x.png',
  permissions: 'cw',
  startsOn: new Date('2026-11-22T10:00:00.999Z'),
  expiresOn: new Date('2026-11-22T10:15:00Z'),
  httpsOnly: true,
};

test('the string to sign has the sixteen lines of the documentation', () => {
  expect(blobSasStringToSign(FIELDS).split('\n')).toEqual([
    'cw',
    '2026-11-22T10:00:00Z',
    '2026-11-22T10:15:00Z',
    '/blob/acme/media/images/2026/11/22/x.png',
    '',
    '',
    'https',
    '2021-12-02',
    'b',
    '',
    '',
    '',
    '',
    '',
    '',
    '',
  ]);
});

test('signatures are HMAC-SHA256 (RFC 4231, test case 2)', async () => {
  const key = await importAccountKey(btoa('Jefe'));
  const expected = Uint8Array.fromHex('5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843').toBase64();
  expect(await sign(key, 'what do ya want for nothing?')).toBe(expected);
});

test('the same fields give the same query in both runtimes', async () => {
  const query = new URLSearchParams(await blobSasQuery(await importAccountKey(btoa('key')), FIELDS));
  expect(Object.fromEntries(query)).toMatchObject({
    sp: 'cw',
    sr: 'b',
    sv: '2021-12-02',
    spr: 'https',
    st: '2026-11-22T10:00:00Z',
    se: '2026-11-22T10:15:00Z',
  });
  expect(query.get('sig')).toMatch(/^[\w+/]{43}=$/);
});
