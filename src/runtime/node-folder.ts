import { randomUUID } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, realpathSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, realpath, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { GatewayError } from '../errors.ts';
import { isObjectName, type ObjectStore, type ServedStore } from '../media/object-store.ts';
import type { Folder } from '../ports.ts';
import type { ByteReader } from '../streams/byte-reader.ts';
import { type Changes, createChanges, describe, fileHead, openFile, undefinedIfMissing } from './node-folder-files.ts';

/** Names of objects do not start with a dot. */
const UNFINISHED = '.unfinished';
const LOCK = '.lock';
const SECRET = '.state-secret';

const CHUNK_BYTES = 256 * 1024;
/** Whatever was not written to for so long is of a process that has ended. */
const UNFINISHED_FOR_MS = 3_600_000;
/** Less counts as none: one answer may take as much. */
const MIN_FREE_BYTES = 64 * 1024 * 1024;

/** The objects in a folder of this machine, which any number of its processes may share. */
export function openFolder(dir: string, servedAt: string | undefined): Folder {
  const publicBaseUrl = servedAt ?? pathToFileURL(resolve(dir)).href;
  let root: string | undefined;
  let changes: Changes | undefined;
  let hasFailed = false;

  /** Made when it is first needed, so that what cannot be made is reported by the calls that need it. */
  function opened(): { root: string; changes: Changes } {
    if (root === undefined || changes === undefined) {
      mkdirSync(join(resolve(dir), UNFINISHED), { recursive: true, mode: 0o700 });
      root = realpathSync(dir);
      changes = createChanges(join(root, LOCK));
      void removeLeftovers(join(root, UNFINISHED)).catch(() => {});
    }
    return { root, changes };
  }

  function pathOf(name: string): string {
    if (!isObjectName(name)) throw new Error('The name of an object consists of safe segments.');
    return join(opened().root, ...name.split('/'));
  }

  async function tried<T>(work: () => Promise<T>): Promise<T> {
    try {
      const result = await work();
      hasFailed = false;
      return result;
    } catch (error) {
      if (!isSystemError(error)) throw error;
      hasFailed = true;
      throw folderError(error);
    }
  }

  /** Writes a file to its end, and has `finish` put it into its place; otherwise, nothing is left of it. */
  async function written<T>(
    write: (file: FileHandle) => Promise<unknown>,
    finish: (from: string, file: FileHandle) => Promise<T>,
  ): Promise<T> {
    const from = join(opened().root, UNFINISHED, randomUUID());
    const file = await open(from, 'wx', 0o600);
    try {
      await write(file);
      await file.datasync();
      return await finish(from, file);
    } finally {
      await file.close();
      await rm(from, { force: true });
    }
  }

  /** A body that cannot be stored is not left waiting. */
  const create: ObjectStore['create'] = (name, body, options) =>
    createFile(name, body, options).catch(async (error: unknown) => {
      if (!(body instanceof Uint8Array)) await body.cancel(error);
      throw error;
    });

  const createFile: ObjectStore['create'] = (name, body, { contentType }) =>
    tried(async () => {
      const path = pathOf(name);
      const head = fileHead(name, contentType, randomUUID());
      await makeParent(path);
      return written(
        async (file) => {
          await file.write(head);
          if (body instanceof Uint8Array) await file.writeFile(body);
          else await copy(body, file);
        },
        async (from, file) => {
          const info = describe(name, await file.stat({ bigint: true }), new TextEncoder().encode(head));
          const isPlaced = opened().changes.place(from, path);
          return { outcome: isPlaced ? 'created' : 'exists', bytes: info?.bytes ?? 0, etag: isPlaced ? info?.etag : undefined };
        },
      );
    });

  const replace: ObjectStore['replace'] = (name, body, contentType, etag) =>
    tried(async () => {
      const path = pathOf(name);
      const head = fileHead(name, contentType, randomUUID());
      return written(
        async (file) => {
          await file.write(head);
          await file.writeFile(body);
        },
        async (from, file) => {
          const info = describe(name, await file.stat({ bigint: true }), new TextEncoder().encode(head));
          const isReplaced = opened().changes.replace(from, name, path, etag);
          return isReplaced ? { outcome: 'replaced', etag: info?.etag ?? '' } : { outcome: 'changed' };
        },
      );
    });

  /** Also when nothing has failed yet: what is paid for then would be lost. */
  function isNearlyFull(): boolean {
    const { bavail, bsize } = statfsSync(opened().root);
    return bavail * bsize < MIN_FREE_BYTES;
  }

  async function usable(): Promise<void> {
    await written(
      (file) => file.write('\n'),
      async () => opened().changes.tryLock(),
    );
    await assertPlain(opened().root);
    if (isNearlyFull()) throw Object.assign(new Error('The disk is nearly full.'), { code: 'ENOSPC' });
  }

  const store: ServedStore = {
    create,
    replace,
    read: (name, maxBytes) =>
      tried(() =>
        withFile(name, pathOf(name), async (file, { offset, ...info }) => {
          if (info.bytes > maxBytes) throw new GatewayError({ kind: 'storage', problem: 'A stored object is too large', retryable: false });
          const body = new Uint8Array(info.bytes);
          await file.read(body, 0, info.bytes, offset);
          return { ...info, body };
        }),
      ),
    head: (name) => tried(() => withFile(name, pathOf(name), async (_, { offset: __, ...info }) => info)),
    delete: (name, etag) =>
      tried(async () => {
        opened().changes.remove(name, pathOf(name), etag);
      }),
    link: async (name) => `${publicBaseUrl}/${name}`,
    nameOf(url) {
      const name = url.startsWith(`${publicBaseUrl}/`) ? url.slice(publicBaseUrl.length + 1) : '';
      return isObjectName(name) ? name : undefined;
    },
    // URLs of files have none.
    linkOrigins: () => [servedAt === undefined ? 'file://' : new URL(servedAt).origin],
    linkRemedy: undefined,
    assertUsable: () => tried(usable),
    isDown() {
      if (hasFailed) return true;
      try {
        return isNearlyFull();
      } catch {
        return true;
      }
    },
    stream: async (name, etag, start, bytes) => streamFile(name, pathOf(name), etag, start, bytes),
  };

  return { store, stateSecret: () => readSecret(opened) };
}

/** The files that were being written when their process ended. */
async function removeLeftovers(unfinished: string): Promise<void> {
  for (const name of await readdir(unfinished)) {
    const path = join(unfinished, name);
    const { mtimeMs } = (await stat(path).catch(undefinedIfMissing)) ?? {};
    if (mtimeMs !== undefined && Date.now() - mtimeMs > UNFINISHED_FOR_MS) await rm(path, { force: true });
  }
}

/** Throws if the folder is not where its name says. */
async function makeParent(path: string): Promise<void> {
  const parent = dirname(path);
  await mkdir(parent, { recursive: true, mode: 0o700 });
  if ((await realpath(parent)) !== parent) throw Object.assign(new Error('A folder is a symbolic link.'), { code: 'ELOOP' });
}

/** Throws if what is stored in a folder below would be refused, or could not be renamed into its place. */
async function assertPlain(root: string): Promise<void> {
  const { dev } = await stat(root);
  for (const name of (await readdir(root)).filter(isObjectName)) {
    const path = join(root, name);
    const below = await stat(path).catch(undefinedIfMissing);
    if (!below?.isDirectory()) continue;
    if ((await realpath(path)) !== path) throw Object.assign(new Error('A folder is a symbolic link.'), { code: 'ELOOP' });
    if (below.dev !== dev) throw Object.assign(new Error('A folder is another file system.'), { code: 'EXDEV' });
  }
}

/** They are not the folder's. */
const errorsOfBodies = new WeakSet<object>();

async function copy(body: ByteReader, file: FileHandle): Promise<void> {
  let buffer = new ArrayBuffer(CHUNK_BYTES);
  for (;;) {
    const chunk = await body.read(new Uint8Array(buffer)).catch((error: unknown) => {
      if (error instanceof Error) errorsOfBodies.add(error);
      throw error;
    });
    if (chunk.byteLength === 0) return;
    await file.writeFile(chunk);
    buffer = chunk.buffer;
  }
}

async function withFile<T>(
  name: string,
  path: string,
  use: (...opened: [FileHandle, NonNullable<Awaited<ReturnType<typeof openFile>>>['info']]) => Promise<T>,
): Promise<T | undefined> {
  const found = await openFile(name, path);
  if (!found) return undefined;
  try {
    return await use(found.file, found.info);
  } finally {
    await found.file.close();
  }
}

/** Open only while it is read: whoever stops reading holds nothing. */
function streamFile(name: string, path: string, etag: string, start: number, bytes: number): ReadableStream<Uint8Array> {
  let done = 0;
  return new ReadableStream(
    {
      async pull(controller) {
        if (done >= bytes) return controller.close();
        const chunk = await withFile(name, path, async (file, info) => {
          const into = new Uint8Array(Math.min(CHUNK_BYTES, bytes - done));
          return info.etag === etag
            ? into.subarray(0, (await file.read(into, 0, into.byteLength, info.offset + start + done)).bytesRead)
            : into.subarray(0, 0);
        });
        if (!chunk || chunk.byteLength === 0) throw new Error('The object has changed while it was read.');
        done += chunk.byteLength;
        controller.enqueue(chunk);
      },
    },
    { highWaterMark: 0 },
  );
}

/** Made once, for all processes; `undefined` if it can be neither made nor read. */
function readSecret(opened: () => { root: string; changes: Changes }): string | undefined {
  try {
    const { root, changes } = opened();
    const path = join(root, SECRET);
    // What is there can be read on a full disk, too.
    if (!existsSync(path)) placeSecret(path, join(root, UNFINISHED, randomUUID()), changes);
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function placeSecret(path: string, from: string, changes: Changes): void {
  const file = openSync(from, 'wx', 0o600);
  writeSync(file, crypto.getRandomValues(new Uint8Array(32)).toHex());
  fsyncSync(file);
  closeSync(file);
  changes.place(from, path);
  rmSync(from, { force: true });
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  const code = error instanceof Error && !errorsOfBodies.has(error) && 'code' in error ? String(error.code) : '';
  return /^E[A-Z0-9]+$/.test(code) || code === 'ERR_SQLITE_ERROR';
}

function folderError(error: NodeJS.ErrnoException): GatewayError {
  const code = error.code ?? '';
  const retryable = !['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'ELOOP', 'EXDEV'].includes(code);
  return new GatewayError({ kind: 'storage', problem: problemOf(code), retryable }, { cause: error });
}

function problemOf(code: string): string {
  if (['ENOSPC', 'EDQUOT', 'EFBIG'].includes(code)) return `The disk of the folder for media (MEDIA_DIR) is full (${code})`;
  // Not made anew: it may be that of a disk which is not mounted for now.
  if (code === 'ENOENT')
    return 'The folder for media (MEDIA_DIR) was removed or unmounted (ENOENT); the operator must bring it back, or restart the gateway to make a new one';
  if (['ELOOP', 'EXDEV'].includes(code))
    return `A folder in that for media (MEDIA_DIR) is a symbolic link or another disk (${code}); the operator must make all of it one folder`;
  return `The folder for media (MEDIA_DIR) cannot be used (${code}); the operator must check that it can be written`;
}
