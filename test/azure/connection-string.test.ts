import { expect, test } from 'vitest';
import { parseConnectionString } from '../../src/azure/connection-string.ts';

const KEY = btoa('not a real key, but base64 all the same==');

function parse(text: string) {
  const parsed = parseConnectionString(text);
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.account;
}

test('key and endpoint suffix', () => {
  expect(parse(`DefaultEndpointsProtocol=https;AccountName=acme;AccountKey=${KEY};EndpointSuffix=core.chinacloudapi.cn`)).toEqual({
    accountName: 'acme',
    blobEndpoint: 'https://acme.blob.core.chinacloudapi.cn',
    credential: { kind: 'key', keyBase64: KEY },
  });
});

test('defaults to the public cloud over https', () => {
  expect(parse(`AccountName=acme;AccountKey=${KEY}`).blobEndpoint).toBe('https://acme.blob.core.windows.net');
});

test('an explicit blob endpoint with a path and stray spaces', () => {
  expect(parse(` AccountName = acme ; AccountKey = ${KEY} ; BlobEndpoint = http://127.0.0.1:10000/acme/ ; `)).toEqual({
    accountName: 'acme',
    blobEndpoint: 'http://127.0.0.1:10000/acme',
    credential: { kind: 'key', keyBase64: KEY },
  });
});

test('a shared access signature', () => {
  expect(parse('BlobEndpoint=https://acme.blob.core.windows.net/;SharedAccessSignature=?sv=2021-12-02&sp=cw&sig=a%3D')).toEqual({
    accountName: 'acme',
    blobEndpoint: 'https://acme.blob.core.windows.net',
    credential: { kind: 'sas', query: 'sv=2021-12-02&sp=cw&sig=a%3D' },
  });
});

test('a SAS on a custom domain, and a suffix with a dot', () => {
  expect(parse('BlobEndpoint=https://media.example.com;SharedAccessSignature=sv=1&sig=x').blobEndpoint).toBe('https://media.example.com');
  expect(parse(`AccountName=acme;AccountKey=${KEY};EndpointSuffix=.core.windows.net`).blobEndpoint).toBe(
    'https://acme.blob.core.windows.net',
  );
});

test('the emulator', () => {
  expect(parse('UseDevelopmentStorage=true')).toMatchObject({
    accountName: 'devstoreaccount1',
    blobEndpoint: 'http://127.0.0.1:10000/devstoreaccount1',
  });
  expect(parse('UseDevelopmentStorage=true;DevelopmentStorageProxyUri=http://azurite:9999/').blobEndpoint).toBe(
    'http://azurite:9999/devstoreaccount1',
  );
  expect(parse('UseDevelopmentStorage=true;DevelopmentStorageProxyUri=http://azurite').blobEndpoint).toBe(
    'http://azurite:10000/devstoreaccount1',
  );
});

test.each([
  ['', 'AccountName'],
  ['AccountName=acme', 'AccountKey or SharedAccessSignature'],
  ['AccountName=acme;AccountKey=%%%', 'base64'],
  [`AccountKey=${KEY};BlobEndpoint=https://media.example.com`, 'AccountName'],
  [`AccountName=acme;AccountKey=${KEY};BlobEndpoint=https://acme.example.com/#x`, 'http or https'],
  [`AccountName=ac/me;AccountKey=${KEY}`, 'AccountName'],
  [`AccountName=acme;AccountKey=${KEY};BlobEndpoint=ftp://x`, 'http or https'],
  ['AccountName=acme;SharedAccessSignature=sv=1', 'sig'],
  ['AccountName=acme;SharedAccessSignature=sv=1&sp=rl&sig=x', '(sp=rcw)'],
])('%j is rejected with what is missing', (text, expected) => {
  const parsed = parseConnectionString(text);
  expect(parsed).toMatchObject({ ok: false, problem: expect.stringContaining(expected) });
});
