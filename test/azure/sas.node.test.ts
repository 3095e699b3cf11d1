import { BlobSASPermissions, generateBlobSASQueryParameters, SASProtocol, StorageSharedKeyCredential } from '@azure/storage-blob';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type BlobSasFields, blobSasQuery, importAccountKey, STORAGE_VERSION } from '../../src/azure/sas.ts';

const name = (alphabet: string, minLength: number, maxLength: number) =>
  fc.string({ unit: fc.constantFrom(...alphabet), minLength, maxLength });

const fields = fc.record({
  accountName: name('abcdefghijklmnopqrstuvwxyz0123456789', 3, 24),
  container: name('abcdefghijklmnopqrstuvwxyz0123456789', 3, 63),
  blob: fc
    .array(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 }), { minLength: 1, maxLength: 5 })
    .map((segments) => segments.join('/')),
  permissions: fc
    .subarray(['r', 'a', 'c', 'w', 'd'])
    .filter((chosen) => chosen.length > 0)
    .map((chosen) => chosen.join('')),
  startsOn: fc.date({ min: new Date('2020-01-01'), max: new Date('2040-01-01'), noInvalidDate: true }),
  expiresOn: fc.date({ min: new Date('2020-01-01'), max: new Date('2040-01-01'), noInvalidDate: true }),
  httpsOnly: fc.boolean(),
});

/** The same fields, signed by Microsoft's own library. */
function oracle(keyBase64: string, sas: BlobSasFields): URLSearchParams {
  const query = generateBlobSASQueryParameters(
    {
      containerName: sas.container,
      blobName: sas.blob,
      permissions: BlobSASPermissions.parse(sas.permissions),
      startsOn: sas.startsOn,
      expiresOn: sas.expiresOn,
      protocol: sas.httpsOnly ? SASProtocol.Https : SASProtocol.HttpsAndHttp,
      version: STORAGE_VERSION,
    },
    new StorageSharedKeyCredential(sas.accountName, keyBase64),
  );
  return new URLSearchParams(query.toString());
}

test("every SAS is the one that Microsoft's library makes for the same fields", async () => {
  await fc.assert(
    fc.asyncProperty(fields, fc.uint8Array({ minLength: 1, maxLength: 64 }), async (sas, keyBytes) => {
      const keyBase64 = Buffer.from(keyBytes).toString('base64');
      const ours = new URLSearchParams(await blobSasQuery(await importAccountKey(keyBase64), sas));
      expect(Object.fromEntries(ours)).toEqual(Object.fromEntries(oracle(keyBase64, sas)));
    }),
    { numRuns: 300 },
  );
});
