import { describe, expect, test } from 'vitest';
import { createDayIndex } from '../../src/jobs/day-index.ts';
import { testRuntime } from '../support.ts';
import { newSecret, setUpSealed } from './sealed.ts';

const runtime = testRuntime();

const VALUE = { prompt: 'a secret lighthouse' };

describe('a record', () => {
  test('is read as it was written, under a name that depends on the secret and on every part', async () => {
    const [one, other] = [setUpSealed(), setUpSealed()];
    const [place = ''] = await one.sealed.placesOf('a', 'b');
    expect(place).toMatch(/^[0-9a-f]{32}$/);
    expect(await one.sealed.placesOf('a', 'b')).toEqual([place]);
    const others = await Promise.all([one.sealed.placesOf('ab'), one.sealed.placesOf('a', 'b', ''), other.sealed.placesOf('a', 'b')]);
    expect(new Set([place, ...others.flat()]).size).toBe(4);
    await one.sealed.create(place, VALUE);
    expect((await one.sealed.read(place))?.value).toEqual(VALUE);
  });

  test('gives nothing away, and no two are alike', async () => {
    const { sealed, urlOf } = setUpSealed();
    const [a = '', b = ''] = [...(await sealed.placesOf('a')), ...(await sealed.placesOf('b'))];
    await Promise.all([sealed.create(a, VALUE), sealed.create(b, VALUE)]);
    const [first = '', second] = await Promise.all([a, b].map(async (place) => (await fetch(urlOf(place))).text()));
    expect(first).not.toMatch(/lighthouse|prompt/);
    expect(first).not.toBe(second);
  });

  test('that was moved, changed or written with another secret is none', async () => {
    const { store, sealed } = setUpSealed();
    const [a = '', b = '', c = ''] = (await Promise.all(['a', 'b', 'c'].map((part) => sealed.placesOf(part)))).flat();
    await sealed.create(a, VALUE);
    const { body } = (await store.read(`state/${a}`, 10_000)) ?? { body: new Uint8Array() };
    const options = { contentType: 'application/octet-stream', repeatable: true };
    await store.create(`state/${b}`, body, options);
    await store.create(`state/${c}`, body.with(20, (body[20] ?? 0) ^ 1), options);
    expect((await sealed.read(a))?.value).toEqual(VALUE);
    expect(await sealed.read(b)).toBeUndefined();
    expect(await sealed.read(c)).toBeUndefined();
    expect(await setUpSealed().sealed.read(a)).toBeUndefined();
  });

  test('of the previous secret is found, read and replaced where it is', async () => {
    const [old, current] = [newSecret(), newSecret()];
    const before = setUpSealed([old]).sealed;
    const [place = ''] = await before.placesOf('a');
    await before.create(place, VALUE);
    const after = setUpSealed([current, old]).sealed;
    const places = await after.placesOf('a');
    expect(places).toHaveLength(2);
    expect(places[1]).toBe(place);
    const found = await after.read(place);
    expect(found?.value).toEqual(VALUE);
    expect(await after.replace(place, { next: 1 }, found?.version ?? '')).toMatchObject({ version: expect.any(String) });
    expect((await after.read(place))?.value).toEqual({ next: 1 });
  });

  test('is written over by one of several who have read the same version, and created by one', async () => {
    const { sealed } = setUpSealed();
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
  const indexes = [1, 2].map(() => createDayIndex(setUpSealed(secrets).sealed, runtime));
  const dayMs = Date.UTC(2026, 10, 25, 12);
  const entryOf = (id: string) => ({ id, tool: 'generate_image', state: 'completed', started_ms: dayMs, ended_ms: dayMs });
  await Promise.all(Array.from({ length: 50 }, (_, index) => indexes[index % 2]?.append('p', entryOf(`job-${index}`))));
  const listed = (await indexes[0]?.read('p', dayMs)) ?? [];
  expect(new Set(listed.map(({ id }) => id)).size).toBe(50);
  expect(await indexes[0]?.read('other', dayMs)).toEqual([]);
  expect(await indexes[0]?.read('p', dayMs + 86_400_000)).toEqual([]);
});

test('a long day is a series of pages, of which a process continues the last', async () => {
  const secrets = [newSecret()];
  const dayMs = Date.UTC(2026, 10, 25, 12);
  const files = [{ url: 'https://x/y', content_type: 'image/png', bytes: 1 }];
  const entryOf = (id: number) => ({
    id: `job-${id}`,
    tool: 'generate_image',
    state: 'completed',
    started_ms: dayMs,
    ended_ms: dayMs,
    files,
  });
  const index = createDayIndex(setUpSealed(secrets).sealed, runtime);
  for (const start of [0, 600, 1200]) await Promise.all(Array.from({ length: 600 }, (_, id) => index.append('p', entryOf(start + id))));
  const another = createDayIndex(setUpSealed(secrets).sealed, runtime);
  await another.append('p', entryOf(1800));
  expect((await index.read('p', dayMs)).map(({ id }) => id)).toEqual(Array.from({ length: 1801 }, (_, id) => `job-${id}`));
});
