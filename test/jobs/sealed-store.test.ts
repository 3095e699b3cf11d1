import { describe, expect, inject, test } from 'vitest';
import { createBlobStore } from '../../src/azure/blob-store.ts';
import { parseConnectionString } from '../../src/azure/connection-string.ts';
import { createDayIndex } from '../../src/jobs/day-index.ts';
import { createSealedStore } from '../../src/jobs/sealed-store.ts';
import { testRuntime } from '../support.ts';

const runtime = testRuntime();
const newSecret = () => `state-secret-of-one-test-${crypto.randomUUID()}`;

/** The store, and the bytes that it has written, as anyone can read them in a public container. */
function setUp(secrets: readonly string[] = [newSecret()]) {
  const { connectionString, container, containerUrl } = inject('storage');
  const parsed = parseConnectionString(connectionString);
  if (!parsed.ok) throw new Error(parsed.problem);
  const store = createBlobStore({ account: parsed.account, container, publicBaseUrl: containerUrl }, runtime);
  const urlOf = (place: string) => `${containerUrl}/state/${place}`;
  return { store, sealed: createSealedStore(store, { secrets, pathPrefix: undefined }), urlOf };
}

const VALUE = { prompt: 'a secret lighthouse' };

describe('a record', () => {
  test('is read as it was written, under a name that depends on the secret and on every part', async () => {
    const [one, other] = [setUp(), setUp()];
    const [place = ''] = await one.sealed.placesOf('a', 'b');
    expect(place).toMatch(/^[0-9a-f]{32}$/);
    expect(await one.sealed.placesOf('a', 'b')).toEqual([place]);
    const others = await Promise.all([one.sealed.placesOf('ab'), one.sealed.placesOf('a', 'b', ''), other.sealed.placesOf('a', 'b')]);
    expect(new Set([place, ...others.flat()]).size).toBe(4);
    await one.sealed.create(place, VALUE);
    expect((await one.sealed.read(place))?.value).toEqual(VALUE);
  });

  test('gives nothing away, and no two are alike', async () => {
    const { sealed, urlOf } = setUp();
    const [a = '', b = ''] = [...(await sealed.placesOf('a')), ...(await sealed.placesOf('b'))];
    await Promise.all([sealed.create(a, VALUE), sealed.create(b, VALUE)]);
    const [first = '', second] = await Promise.all([a, b].map(async (place) => (await fetch(urlOf(place))).text()));
    expect(first).not.toMatch(/lighthouse|prompt/);
    expect(first).not.toBe(second);
  });

  test('that was moved, changed or written with another secret is none', async () => {
    const { store, sealed } = setUp();
    const [a = '', b = '', c = ''] = (await Promise.all(['a', 'b', 'c'].map((part) => sealed.placesOf(part)))).flat();
    await sealed.create(a, VALUE);
    const { body } = (await store.read(`state/${a}`, 10_000)) ?? { body: new Uint8Array() };
    const options = { contentType: 'application/octet-stream', repeatable: true };
    await store.create(`state/${b}`, body, options);
    await store.create(`state/${c}`, body.with(20, (body[20] ?? 0) ^ 1), options);
    expect((await sealed.read(a))?.value).toEqual(VALUE);
    expect(await sealed.read(b)).toBeUndefined();
    expect(await sealed.read(c)).toBeUndefined();
    expect(await setUp().sealed.read(a)).toBeUndefined();
  });

  test('of the previous secret is found, read and replaced where it is', async () => {
    const [old, current] = [newSecret(), newSecret()];
    const before = setUp([old]).sealed;
    const [place = ''] = await before.placesOf('a');
    await before.create(place, VALUE);
    const after = setUp([current, old]).sealed;
    const places = await after.placesOf('a');
    expect(places).toHaveLength(2);
    expect(places[1]).toBe(place);
    const found = await after.read(place);
    expect(found?.value).toEqual(VALUE);
    expect(await after.replace(place, { next: 1 }, found?.version ?? '')).toMatchObject({ version: expect.any(String) });
    expect((await after.read(place))?.value).toEqual({ next: 1 });
  });

  test('is written over by one of several who have read the same version, and created by one', async () => {
    const { sealed } = setUp();
    const [place = ''] = await sealed.placesOf('a');
    const created = await Promise.all([1, 2, 3].map((writer) => sealed.create(place, { writer })));
    expect(created.filter((outcome) => outcome === 'exists')).toHaveLength(2);
    const { version = '' } = (await sealed.read(place)) ?? {};
    const replaced = await Promise.all([1, 2, 3].map((writer) => sealed.replace(place, { writer }, version)));
    expect(replaced.filter((outcome) => outcome === 'changed')).toHaveLength(2);
    await sealed.delete(place, version);
    expect(await sealed.read(place)).toBeDefined();
  });
});

test('the index of a day loses none of the jobs that two processes add at once', async () => {
  const secrets = [newSecret()];
  const indexes = [1, 2].map(() => createDayIndex(setUp(secrets).sealed, runtime));
  const dayMs = Date.UTC(2026, 10, 25, 12);
  const entryOf = (id: string) => ({ id, tool: 'generate_image', state: 'completed', started_ms: dayMs, ended_ms: dayMs });
  await Promise.all(Array.from({ length: 50 }, (_, index) => indexes[index % 2]?.append('p', entryOf(`job-${index}`))));
  const listed = (await indexes[0]?.read('p', dayMs)) ?? [];
  expect(new Set(listed.map(({ id }) => id)).size).toBe(50);
  expect(await indexes[0]?.read('other', dayMs)).toEqual([]);
  expect(await indexes[0]?.read('p', dayMs + 86_400_000)).toEqual([]);
});
