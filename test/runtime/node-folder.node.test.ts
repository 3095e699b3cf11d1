import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { readerOf } from '../../src/streams/byte-reader.ts';
import { newFolder } from '../media/folder.ts';
import { createTestApp, eventually, servedEnvironment, testRuntime } from '../support.ts';

const PNG = { contentType: 'image/png', repeatable: false };
const bytes = (text: string) => new TextEncoder().encode(text);

function open(folder = newFolder()) {
  const opened = testRuntime().openFolder?.(folder, 'http://127.0.0.1:8000/media');
  if (!opened) throw new Error('Node has folders.');
  return { folder, ...opened };
}

test('of several processes, one creates each object, no replacement is lost, and all have one secret', async () => {
  const { folder, stateSecret } = open();
  const program = fileURLToPath(new URL('folder-process.ts', import.meta.url));
  const runs = await Promise.all(['1', '2', '3'].map((own) => promisify(execFile)(process.execPath, [program, folder, own])));
  const results = runs.map(({ stdout }) => JSON.parse(stdout));
  expect(results.reduce((sum, { created }) => sum + created, 0)).toBe(50);
  expect(readFileSync(join(folder, 'state/counter'), 'utf8')).toMatch(/\n150$/);
  expect(new Set([stateSecret(), ...results.map(({ secret }) => secret)]).size).toBe(1);
  expect(stateSecret()).toMatch(/^[0-9a-f]{64}$/);
  expect(statSync(join(folder, '.state-secret')).mode & 0o777).toBe(0o600);
});

test('media is a plain file of its name, and what is not served cannot be linked to by another name', async () => {
  const { folder, store } = open();
  await store.create('images/2026/11/25/a.png', bytes('picture'), PNG);
  expect(readFileSync(join(folder, 'images/2026/11/25/a.png'), 'utf8')).toBe('picture');
  await expect(store.create('images/2026/11/25/b.png', bytes('x'), { ...PNG, contentType: 'text/html' })).rejects.toThrow('content type');
});

test.each(['../outside', 'images/../../outside', '/etc/passwd', '.state-secret', 'a//b', 'a/./b', 'a\\b', 'a\0b', '', 'a/', 'C:x'])(
  'the name %j is refused',
  async (name) => {
    const { store } = open();
    await expect(store.create(name, bytes('x'), PNG)).rejects.toThrow('safe segments');
    await expect(store.read(name, 10)).rejects.toThrow('safe segments');
    await expect(store.delete(name)).rejects.toThrow('safe segments');
  },
);

test('symbolic links lead nowhere', async () => {
  const [{ folder, store }, outside] = [open(), newFolder()];
  writeFileSync(join(outside, 'secret.png'), 'secret');
  mkdirSync(join(folder, 'images'));
  symlinkSync(join(outside, 'secret.png'), join(folder, 'images/linked.png'));
  symlinkSync(outside, join(folder, 'videos'));
  expect(await store.head('images/linked.png')).toBeUndefined();
  expect(await store.read('videos/secret.png', 100)).toBeUndefined();
  const failure = { kind: 'storage', problem: expect.stringContaining('symbolic link'), retryable: false };
  await expect(store.create('videos/new.png', bytes('x'), PNG)).rejects.toMatchObject({ failure });
  // What is paid for could not be stored there.
  await expect(open(folder).store.assertUsable('images/x.png')).rejects.toMatchObject({ failure });
  expect(readdirSync(outside)).toEqual(['secret.png']);
});

test('a process that is killed while it writes leaves no object, and its leftover is removed later', async () => {
  const { folder, store } = open();
  await store.assertUsable('images/x.png');
  const program = `
    const { createNodeRuntime } = await import(${JSON.stringify(new URL('../../src/runtime/node.ts', import.meta.url).href)});
    const { store } = createNodeRuntime({}).openFolder(${JSON.stringify(folder)}, 'http://127.0.0.1/media');
    let first = true;
    const read = async (into) => { if (first) { first = false; return into.fill(1); } console.log('waiting'); return new Promise(() => setInterval(() => {}, 1000)); };
    await store.create('images/half.png', { read, cancel: async () => {} }, { contentType: 'image/png', repeatable: true });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const _ of child.stdout) child.kill('SIGKILL');
  expect(await store.head('images/half.png')).toBeUndefined();
  const [leftover = ''] = readdirSync(join(folder, '.unfinished'));
  const path = join(folder, '.unfinished', leftover);
  expect(statSync(path).size).toBeGreaterThan(0);
  utimesSync(path, 0, 0);
  await open(folder).store.assertUsable('images/x.png');
  await eventually(() => !existsSync(path));
});

test('a full disk is reported as such, and nothing is left', async () => {
  const { folder, store } = open();
  await store.create('images/before.png', bytes('x'), PNG);
  // The shell limits the size of files, for the program in it.
  const program = `
    const { createNodeRuntime } = await import(${JSON.stringify(new URL('../../src/runtime/node.ts', import.meta.url).href)});
    process.on('SIGXFSZ', () => {});
    const { store } = createNodeRuntime({}).openFolder(${JSON.stringify(folder)}, 'http://127.0.0.1/media');
    await store.create('images/large.png', new Uint8Array(3_000_000), { contentType: 'image/png', repeatable: true }).catch((error) => console.log(JSON.stringify(error.failure)));`;
  const args = ['-c', 'ulimit -f 1000; exec "$@"', 'sh', process.execPath, '--input-type=module', '-e', program];
  const { stdout } = await promisify(execFile)('sh', args);
  expect(JSON.parse(stdout)).toMatchObject({ kind: 'storage', problem: expect.stringContaining('MEDIA_DIR) is full'), retryable: true });
  expect(readdirSync(join(folder, 'images'))).toEqual(['before.png']);
  expect(readdirSync(join(folder, '.unfinished'))).toEqual([]);
});

test('the secret is also read on a full disk, so that what is paid for is found', async () => {
  const { folder, stateSecret } = open();
  const secret = stateSecret();
  const program = `
    const { createNodeRuntime } = await import(${JSON.stringify(new URL('../../src/runtime/node.ts', import.meta.url).href)});
    process.on('SIGXFSZ', () => {});
    console.log(createNodeRuntime({}).openFolder(${JSON.stringify(folder)}, 'http://127.0.0.1/media').stateSecret());`;
  const args = ['-c', 'ulimit -f 0; exec "$@"', 'sh', process.execPath, '--input-type=module', '-e', program];
  const { stdout } = await promisify(execFile)('sh', args);
  expect(stdout.trim()).toBe(secret);
});

/** In a namespace of its own, any user may mount a small disk. */
const cannotMount = spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status !== 0;

test.skipIf(cannotMount)('another disk below the folder is noticed before anything is paid for', async () => {
  const folder = newFolder();
  mkdirSync(join(folder, 'videos'));
  const program = `
    const { createNodeRuntime } = await import(${JSON.stringify(new URL('../../src/runtime/node.ts', import.meta.url).href)});
    const { store } = createNodeRuntime({}).openFolder(${JSON.stringify(folder)}, 'http://127.0.0.1/media');
    await store.assertUsable('images/x.png').catch((error) => console.log(JSON.stringify(error.failure)));`;
  const mounted = 'mount -t tmpfs tmpfs "$0/videos"; exec "$@"';
  const args = ['-rm', 'sh', '-c', mounted, folder, process.execPath, '--input-type=module', '-e', program];
  const { stdout } = await promisify(execFile)('unshare', args);
  expect(JSON.parse(stdout)).toMatchObject({ problem: expect.stringContaining('another disk (EXDEV)'), retryable: false });
});

test.skipIf(cannotMount)('a disk that others fill is noticed before the next call is paid for', async () => {
  const folder = newFolder();
  const program = `
    import { writeFileSync } from 'node:fs';
    const { createNodeRuntime } = await import(${JSON.stringify(new URL('../../src/runtime/node.ts', import.meta.url).href)});
    const { store } = createNodeRuntime({}).openFolder(${JSON.stringify(join(folder, 'media'))}, 'http://127.0.0.1/media');
    await store.assertUsable('images/x.png');
    const before = store.isDown();
    writeFileSync(${JSON.stringify(join(folder, 'other'))}, new Uint8Array(40_000_000));
    const failure = await store.assertUsable('images/x.png').catch((error) => error.failure);
    console.log(JSON.stringify({ before, after: store.isDown(), failure }));`;
  const args = [
    '-rm',
    'sh',
    '-c',
    'mount -t tmpfs -o size=100m tmpfs "$0"; exec "$@"',
    folder,
    process.execPath,
    '--input-type=module',
    '-e',
    program,
  ];
  const { stdout } = await promisify(execFile)('unshare', args);
  const problem = expect.stringContaining('MEDIA_DIR) is full');
  expect(JSON.parse(stdout)).toMatchObject({ before: false, after: true, failure: { problem } });
});

test('whoever removes the lock as a leftover does not let two processes in: all go on with a new one', async () => {
  const { folder, store } = open();
  const inode = () => statSync(join(folder, '.lock')).ino;
  await store.assertUsable('images/x.png');
  rmSync(join(folder, '.lock'));
  await store.create('images/one.png', bytes('x'), PNG);
  const made = inode();
  await open(folder).store.create('images/two.png', bytes('x'), PNG);
  await store.create('images/three.png', bytes('x'), PNG);
  expect(inode()).toBe(made);
});

test('a folder that is removed is not made anew, as a disk may only be unmounted, and the body is not left waiting', async () => {
  const { folder, store } = open();
  await store.assertUsable('images/x.png');
  rmSync(folder, { recursive: true });
  let isCancelled = false;
  const body = new ReadableStream<Uint8Array>({
    cancel() {
      isCancelled = true;
    },
  });
  await expect(store.create('videos/film.mp4', readerOf(body), { ...PNG, contentType: 'video/mp4' })).rejects.toMatchObject({
    failure: { kind: 'storage', problem: expect.stringMatching(/MEDIA_DIR.* removed or unmounted/) },
  });
  expect([isCancelled, store.isDown()]).toEqual([true, true]);
});

test('whatever is not a file is not there, and is not waited for', async () => {
  const { folder, store } = open();
  mkdirSync(join(folder, 'images/folder.png'), { recursive: true });
  execFileSync('mkfifo', [join(folder, 'images/pipe.png'), join(folder, 'images/pipe')]);
  for (const name of ['images/folder.png', 'images/pipe.png', 'images/pipe']) {
    expect(await store.head(name), name).toBeUndefined();
    expect(await store.create(name, bytes('x'), PNG).catch(() => 'refused')).not.toMatchObject({ outcome: 'created' });
    await store.delete(name, '"1"');
  }
});

test('a folder that cannot be is reported before anything is paid for', async () => {
  const file = join(newFolder(), 'file');
  writeFileSync(file, '');
  const { store, stateSecret } = open(join(file, 'folder'));
  await expect(store.assertUsable('images/x.png')).rejects.toMatchObject({
    failure: { kind: 'storage', problem: expect.stringContaining('MEDIA_DIR'), retryable: false },
  });
  expect(store.isDown()).toBe(true);
  expect(stateSecret()).toBeUndefined();
  expect(existsSync(dirname(file))).toBe(true);
  const { logged } = createTestApp(await servedEnvironment({ MEDIA_DIR: join(file, 'folder'), STATE_SECRET: '' }));
  expect(logged.join('\n')).toMatch(/"warn","event":"state_unavailable","variable":"MEDIA_DIR"/);
});

test('what is being read and not taken holds no file open', async () => {
  const { store } = open();
  await store.create('videos/long.mp4', readerOf(new Blob([new Uint8Array(2_000_000)]).stream()), { ...PNG, contentType: 'video/mp4' });
  const { etag = '' } = (await store.head('videos/long.mp4')) ?? {};
  const stream = await (store as Required<ReturnType<typeof open>>['store']).stream('videos/long.mp4', etag, 0, 2_000_000);
  const reader = stream.getReader();
  await reader.read();
  const openFiles = readdirSync('/proc/self/fd').map((fd) => existsSync(`/proc/self/fd/${fd}`) && statSync(`/proc/self/fd/${fd}`).size);
  expect(openFiles).not.toContain(2_000_000);
  await reader.cancel();
});
