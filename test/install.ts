import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Installs the packages that a single script needs, so that `npm ci` in the root does not have to: those of the package.json
 * and package-lock.json in the folder, when they are missing or older than the lockfile.
 */
export async function installPackages(folder: URL | string): Promise<void> {
  const path = folder instanceof URL ? fileURLToPath(folder) : folder;
  // npm writes the hidden lockfile last: an interrupted installation leaves none.
  const installed = await modifiedMs(join(path, 'node_modules/.package-lock.json'));
  if (installed !== undefined && installed >= ((await modifiedMs(join(path, 'package-lock.json'))) ?? 0)) return;
  console.error(`Installing the packages of ${path}`);
  const npm = spawn('npm', ['ci', '--prefix', path, '--no-audit', '--no-fund'], {
    stdio: ['ignore', 'inherit', 'inherit'],
    shell: process.platform === 'win32',
  });
  const [code] = await once(npm, 'exit');
  if (code !== 0) throw new Error(`Cannot install the packages of ${path}: npm ci exited with code ${code}`);
}

async function modifiedMs(path: string): Promise<number | undefined> {
  return (await stat(path).catch(() => undefined))?.mtimeMs;
}
