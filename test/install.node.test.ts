import { mkdir, mkdtemp, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { installPackages } from './install.ts';

/** A folder whose only package is in the folder itself, so that npm needs no network. */
async function createFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'install-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const dependencies = { local: 'file:local' };
  await mkdir(join(folder, 'local'));
  await writeFile(join(folder, 'local/package.json'), JSON.stringify({ name: 'local', version: '1.0.0' }));
  await writeFile(join(folder, 'package.json'), JSON.stringify({ dependencies }));
  const packages = { '': { dependencies }, local: { version: '1.0.0' }, 'node_modules/local': { resolved: 'local', link: true } };
  await writeFile(join(folder, 'package-lock.json'), JSON.stringify({ lockfileVersion: 3, requires: true, packages }));
  return folder;
}

const isThere = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );

test('installs packages that are missing or older than the lockfile, and no others', async () => {
  const folder = await createFolder();
  const marker = join(folder, 'node_modules/left-by-the-test');
  await installPackages(folder);
  expect(await isThere(join(folder, 'node_modules/local/package.json'))).toBe(true);

  await writeFile(marker, '');
  await installPackages(folder);
  expect(await isThere(marker)).toBe(true);

  const tomorrow = new Date(Date.now() + 86_400_000);
  await utimes(join(folder, 'package-lock.json'), tomorrow, tomorrow);
  await installPackages(folder);
  expect(await isThere(marker)).toBe(false);
});

test('rejects when npm fails', async () => {
  const folder = await createFolder();
  await writeFile(
    join(folder, 'package.json'),
    JSON.stringify({ scripts: { preinstall: 'exit 3' }, dependencies: { local: 'file:local' } }),
  );
  await expect(installPackages(folder)).rejects.toThrow(/^Cannot install the packages of .+: npm ci exited with code 3$/);
});
