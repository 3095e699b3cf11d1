import { GatewayError } from '../errors.ts';
import { MAX_SPOKEN_BYTES } from '../limits.ts';
import type { ObjectStore } from './object-store.ts';
import type { Sound } from './sound.ts';

/** What is kept of a piece besides its sound. */
type PieceDetails = Pick<Sound, 'shape' | 'frames'> &
  Readonly<{
    /** How many words were said in another way than written, as far as that is known. */
    differing: number;
  }>;

export type StoredPiece = PieceDetails & Readonly<{ name: string; bytes: number }>;

/**
 * Pieces of speech that are paid for, until all are there and joined: a call that is repeated finds those that an earlier
 * one has made.
 */
export type PieceStore = Readonly<{
  /** Names that nobody can guess: of what `parts` say, with the current secret and with each previous one. */
  namesOf(...parts: readonly string[]): Promise<readonly string[]>;
  /** The piece under one of these names. */
  find(names: readonly string[]): Promise<StoredPiece | undefined>;
  /** Stores a new piece under the first of these names that is free; if none is, the piece that is there takes its place. */
  save(names: readonly string[], data: Uint8Array<ArrayBuffer>, details: PieceDetails): Promise<StoredPiece>;
  /** The sound of a piece; `undefined` if it is not there any longer. */
  read(piece: StoredPiece): Promise<Uint8Array | undefined>;
  delete(name: string): Promise<void>;
}>;

/** The details are parameters of the content type, which a HEAD request returns. */
const CONTENT_TYPE = /^application\/octet-stream; shape=(\w+); frames=(\d+); differing=(\d+)$/;

export function createPieceStore(store: ObjectStore, namesOf: PieceStore['namesOf']): PieceStore {
  async function find(names: readonly string[]): Promise<StoredPiece | undefined> {
    for (const name of names) {
      const { contentType = '', bytes = 0 } = (await store.head(name)) ?? {};
      const [, shape, frames, differing] = CONTENT_TYPE.exec(contentType) ?? [];
      if (shape !== undefined) return { name, bytes, shape, frames: Number(frames), differing: Number(differing) };
    }
    return undefined;
  }

  return {
    namesOf,
    find,
    async save(names, data, { shape, frames, differing }) {
      const contentType = `application/octet-stream; shape=${shape}; frames=${frames}; differing=${differing}`;
      for (const name of names) {
        const { outcome } = await store.create(name, data, { contentType, repeatable: false });
        if (outcome === 'created') return { name, bytes: data.byteLength, shape, frames, differing };
      }
      const present = await find(names);
      if (present) return present;
      throw new GatewayError({ kind: 'storage', problem: 'A part of the speech was deleted while it was stored', retryable: true });
    },
    async read({ name, bytes }) {
      const found = await store.read(name, MAX_SPOKEN_BYTES);
      return found?.bytes === bytes ? found.body : undefined;
    },
    delete: (name) => store.delete(name),
  };
}
