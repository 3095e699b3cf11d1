import type { SealedStore } from '../../src/jobs/sealed-store.ts';

/** Records in memory, as the suite needs no storage. */
export function createMemoryStore(): SealedStore {
  const records = new Map<string, { value: unknown; version: string }>();
  let writes = 0;

  function write(place: string, value: object): { version: string } {
    const version = String(++writes);
    records.set(place, { value: structuredClone(value), version });
    return { version };
  }
  const isCurrent = (place: string, version: string) => records.get(place)?.version === version;

  return {
    async placesOf(...parts) {
      const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(JSON.stringify(parts)));
      return [new Uint8Array(digest).toHex().slice(0, 32)];
    },
    // There is nothing but records.
    namesOf: async () => [],
    read: async (place) => records.get(place),
    create: async (place, value) => (records.has(place) ? 'exists' : write(place, value)),
    replace: async (place, value, version) => (isCurrent(place, version) ? write(place, value) : 'changed'),
    async delete(place, version) {
      if (isCurrent(place, version)) records.delete(place);
    },
  };
}
