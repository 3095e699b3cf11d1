import { MAX_STATE_BYTES } from '../limits.ts';
import type { ObjectStore } from '../media/object-store.ts';
import { createStateKey } from './state-key.ts';

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
  /** The current one first; records of the others can be read and replaced. */
  secrets: readonly string[];
  pathPrefix: string | undefined;
}>;

const CONTENT_TYPE = 'application/octet-stream';

export function createSealedStore(store: ObjectStore, { secrets, pathPrefix }: SealedStoreOptions): SealedStore {
  const keys = secrets.map(createStateKey);
  const nameOf = (place: string) => [...(pathPrefix ? [pathPrefix] : []), 'state', place].join('/');
  const seal = (place: string, value: object) => {
    const [current] = keys;
    if (!current) throw new Error('There is no secret for state.');
    return current.seal(place, JSON.stringify(value));
  };

  async function open(place: string, sealed: Uint8Array<ArrayBuffer>): Promise<string | undefined> {
    for (const key of keys) {
      const text = await key.open(place, sealed);
      if (text !== undefined) return text;
    }
    return undefined;
  }

  const placesOf = (...parts: readonly string[]) => Promise.all(keys.map((key) => key.placeOf(parts)));

  return {
    placesOf,
    namesOf: async (...parts) => (await placesOf(...parts)).map(nameOf),
    async read(place) {
      const found = await store.read(nameOf(place), MAX_STATE_BYTES);
      const text = found && (await open(place, found.body));
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
