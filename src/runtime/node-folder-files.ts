import { type BigIntStats, closeSync, constants, fstatSync, lstatSync, openSync, readSync, renameSync, rmSync, statSync } from 'node:fs';
import { type FileHandle, open, realpath } from 'node:fs/promises';
import type { DatabaseSync } from 'node:sqlite';
import { contentTypeOfName } from '../media/formats.ts';
import type { ObjectInfo } from '../media/object-store.ts';

/** What a file says of its object, and where in it the object begins. */
export type FileInfo = ObjectInfo & Readonly<{ offset: number }>;

/**
 * The files of media are just that. What has no extension of media starts with a line that says its version and content
 * type.
 */
const HEAD = /^([0-9a-f-]{36}) ([\x20-\x7e]{1,200})\n/;
const MAX_HEAD_BYTES = 36 + 1 + 200 + 1;
/** Whatever is not a file, such as a pipe, must not be waited for. */
const READ = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);
/** How long another process may change the folder; each change takes a millisecond. */
const LOCK_TIMEOUT_MS = 5_000;

/** The line before the object, which is empty for media. Throws if the content type is not that of the extension. */
export function fileHead(name: string, contentType: string, version: string): string {
  const known = contentTypeOfName(name);
  const head = known === undefined ? `${version} ${contentType}\n` : '';
  if (known === undefined ? !HEAD.test(head) : known !== contentType)
    throw new Error(`The content type of ${name} cannot be ${contentType}.`);
  return head;
}

/** Opens a file that is there, and is not reached through a symbolic link. */
export async function openFile(name: string, path: string): Promise<{ file: FileHandle; info: FileInfo } | undefined> {
  if ((await realpath(path).catch(undefinedIfMissing)) !== path) return undefined;
  const file = await open(path, READ).catch(undefinedIfMissing);
  if (!file) return undefined;
  try {
    const stat = await file.stat({ bigint: true });
    if (stat.isFile()) {
      const { buffer, bytesRead } = await file.read(new Uint8Array(MAX_HEAD_BYTES), 0, MAX_HEAD_BYTES, 0);
      const info = describe(name, stat, buffer.subarray(0, bytesRead));
      if (info) return { file, info };
    }
  } catch (error) {
    await file.close();
    throw error;
  }
  await file.close();
  return undefined;
}

/** The same, at once; while the folder is locked, nothing changes meanwhile. */
function inspect(name: string, path: string): FileInfo | undefined {
  if (!exists(path)) return undefined;
  const file = openSync(path, READ);
  try {
    const stat = fstatSync(file, { bigint: true });
    const head = new Uint8Array(MAX_HEAD_BYTES);
    return stat.isFile() ? describe(name, stat, head.subarray(0, readSync(file, head, 0, MAX_HEAD_BYTES, 0))) : undefined;
  } finally {
    closeSync(file);
  }
}

/** `undefined` if the gateway has not written it. */
export function describe(name: string, stat: BigIntStats, start: Uint8Array): FileInfo | undefined {
  const size = Number(stat.size);
  const known = contentTypeOfName(name);
  if (known !== undefined) return { contentType: known, bytes: size, offset: 0, etag: `"${stat.ino}-${stat.mtimeNs}-${stat.size}"` };
  const [head, version, contentType] = HEAD.exec(String.fromCharCode(...start)) ?? [];
  if (head === undefined || contentType === undefined) return undefined;
  return { contentType, bytes: size - head.length, offset: head.length, etag: `"${version}"` };
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

export function undefinedIfMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error;
}

/** Changes what is at a path, if it is as expected; whether it was. */
export type Changes = Readonly<{
  /** Puts a finished file where there is none. */
  place: (from: string, path: string) => boolean;
  /** Puts it in the place of a version. */
  replace: (from: string, name: string, path: string, etag: string) => boolean;
  /** Removes a version, or whatever is there. */
  remove: (name: string, path: string, etag: string | undefined) => boolean;
  /** Throws when the folder cannot be locked. */
  tryLock: () => void;
}>;

/**
 * One change at a time, of all the processes of this machine: SQLite's lock, which the operating system releases however
 * a process ends. Under it, nothing is awaited.
 */
export function createChanges(lockPath: string): Changes {
  let database: DatabaseSync | undefined;
  let inode: number | undefined;
  const inodeNow = () => statSync(lockPath, { throwIfNoEntry: false })?.ino;

  /** Of the file that is there now: one that somebody has removed, as a leftover, locks nobody else. */
  function opened(): DatabaseSync {
    if (database && inode === inodeNow()) return database;
    database?.close();
    // Loaded when needed, as that takes time; an experimental module of older versions of Node.
    database = new (process.getBuiltinModule('node:sqlite').DatabaseSync)(lockPath, { timeout: LOCK_TIMEOUT_MS });
    inode = inodeNow();
    return database;
  }

  function locked<T>(change: () => T): T {
    const database = opened();
    database.exec('BEGIN IMMEDIATE');
    try {
      return change();
    } finally {
      database.exec('ROLLBACK');
    }
  }

  return {
    place: (from, path) =>
      locked(() => {
        if (exists(path)) return false;
        renameSync(from, path);
        return true;
      }),
    replace: (from, name, path, etag) =>
      locked(() => {
        if (inspect(name, path)?.etag !== etag) return false;
        renameSync(from, path);
        return true;
      }),
    remove: (name, path, etag) =>
      locked(() => {
        if (etag !== undefined && inspect(name, path)?.etag !== etag) return false;
        rmSync(path, { force: true });
        return true;
      }),
    tryLock: () => locked(() => {}),
  };
}
