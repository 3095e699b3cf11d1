import { MAX_STATE_BYTES } from '../limits.ts';
import type { ObjectStore } from '../media/object-store.ts';
import type { StateKeys } from '../state-key.ts';

/** Records in the object store that tell nobody anything: under unguessable names, encrypted, each bound to its name. */
export type SealedStore = Readonly<{
  /**
   * Where a record lives: 32 hexadecimal digits, which only the holder of the secret can compute. New records go to the
   * first place; the others are those of previous secrets.
   */
  placesOf(...parts: readonly string[]): Promise<readonly string[]>;
  /** The same for what is not a record, as names of objects. */
  namesOf(...parts: readonly string[]): Promise<readonly string[]>;
  /** `undefined` if there is none, or one that cannot be read: of another secret, tampered with, or moved. */
  read(place: string): Promise<Sealed | undefined>;
  create(place: string, value: object): Promise<Pick<Sealed, 'version'> | 'exists'>;
  /** Writes over a version that has not been replaced since. */
  replace(place: string, value: object, version: string): Promise<Pick<Sealed, 'version'> | 'changed'>;
  /** Deletes a version that has not been replaced since. */
  delete(place: string, version: string): Promise<void>;
}>;

type Sealed = Readonly<{ value: unknown; version: string }>;

export type SealedStoreOptions = Readonly<{
  /** Records of previous secrets can be read and replaced. */
  keys: StateKeys;
  pathPrefix: string | undefined;
  /** Records of different lifetimes are in different folders. */
  folder: 'state' | 'history' | 'usage';
}>;

const CONTENT_TYPE = 'application/octet-stream';

export function createSealedStore(store: ObjectStore, { keys, pathPrefix, folder }: SealedStoreOptions): SealedStore {
  const nameOf = (place: string) => [...(pathPrefix ? [pathPrefix] : []), folder, place].join('/');
  const seal = (place: string, value: object) => keys.seal(place, JSON.stringify(value));

  return {
    placesOf: (...parts) => keys.placesOf(parts),
    namesOf: async (...parts) => (await keys.placesOf(parts)).map(nameOf),
    async read(place) {
      const found = await store.read(nameOf(place), MAX_STATE_BYTES);
      const text = found && (await keys.open(place, found.body));
      return text === undefined ? undefined : { value: JSON.parse(text), version: found?.etag ?? '' };
    },
    async create(place, value) {
      const name = nameOf(place);
      const sealed = await seal(place, value);
      const { etag } = await store.create(name, sealed, { contentType: CONTENT_TYPE, repeatable: true, mutable: true });
      if (etag !== undefined) return { version: etag };
      // Of a retried write it is not known whose record is there. No two are sealed alike.
      const present = await store.read(name, MAX_STATE_BYTES);
      return present && isEqual(present.body, sealed) ? { version: present.etag } : 'exists';
    },
    async replace(place, value, version) {
      const replaced = await store.replace(nameOf(place), await seal(place, value), CONTENT_TYPE, version);
      return replaced.outcome === 'replaced' ? { version: replaced.etag } : 'changed';
    },
    delete: (place, version) => store.delete(nameOf(place), version),
  };
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && a.every((byte, index) => byte === b[index]);
}
