import { inject } from 'vitest';
import { createBlobStore } from '../../src/azure/blob-store.ts';
import { parseConnectionString } from '../../src/azure/connection-string.ts';
import { createSealedStore } from '../../src/jobs/sealed-store.ts';
import { createStateKeys } from '../../src/state-key.ts';
import { testRuntime } from '../support.ts';

export const newSecret = () => `state-secret-of-one-test-${crypto.randomUUID()}`;

/** Records in the container that all tests share, and their bytes as anyone can read them in a public one. */
export function setUpSealed(secrets: readonly string[] = [newSecret()], folder: 'state' | 'history' = 'state') {
  const { connectionString, container, containerUrl } = inject('storage');
  const parsed = parseConnectionString(connectionString);
  if (!parsed.ok) throw new Error(parsed.problem);
  const store = createBlobStore({ account: parsed.account, container, publicBaseUrl: containerUrl }, testRuntime());
  const urlOf = (place: string) => `${containerUrl}/${folder}/${place}`;
  return { store, sealed: createSealedStore(store, { keys: createStateKeys(secrets), pathPrefix: undefined, folder }), urlOf };
}
