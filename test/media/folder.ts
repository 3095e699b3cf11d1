import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

let all: string | undefined;

/** A new, empty folder, which is removed when the process ends. */
export function newFolder(): string {
  all ??= newParent();
  return mkdtempSync(join(all, 'folder-'));
}

function newParent(): string {
  const parent = mkdtempSync(join(tmpdir(), 'media-files-'));
  process.once('exit', () => rmSync(parent, { recursive: true, force: true }));
  return parent;
}
