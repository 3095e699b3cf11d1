import { describe, expect, test } from 'vitest';
import { createDurableLedger } from '../../src/usage/durable-ledger.ts';
import { createMemoryBook, createStoredBook, type UsageBook } from '../../src/usage/usage-book.ts';
import { newSecret, setUpSealed } from '../jobs/sealed.ts';
import { eventually, testRuntime } from '../support.ts';
import { createNamespace } from './namespace.ts';
import { usedOnce } from './used.ts';

/** Two processes that share a book; in memory, there is one. */
const KINDS: { name: string; create: () => [UsageBook, UsageBook] }[] = [
  {
    name: 'in the object store',
    create() {
      const { sealed } = setUpSealed();
      return [createStoredBook(sealed, testRuntime()), createStoredBook(sealed, testRuntime())];
    },
  },
  {
    name: 'in a Durable Object',
    create() {
      const namespace = createNamespace(new Map());
      const createOne = () => createDurableLedger(namespace, { ...testRuntime(), waitUntil: () => {} }).book;
      return [createOne(), createOne()];
    },
  },
  {
    name: 'in memory',
    create() {
      const book = createMemoryBook();
      return [book, book];
    },
  },
];

const DATES = ['2026-11-24', '2026-11-25', '2026-11-26'];
const calls = async (book: UsageBook, principalId?: string) =>
  (await book.read(DATES, principalId)).map(({ date, rows }) => [date, rows.reduce((sum, row) => sum + row.calls, 0)]);

describe.each(KINDS)('a book $name', ({ create }) => {
  test('has the days that are asked for, of all principals or of one, whoever has added to them', async () => {
    const [one, other] = create();
    for (let count = 0; count < 3; count++) {
      one.add('2026-11-24', usedOnce());
      other.add('2026-11-26', usedOnce({ principal: 'bob' }));
      other.add('2026-11-24', usedOnce({ principal: 'bob', model: `m${count}` }));
    }
    await Promise.all([one.close(), other.close()]);
    const all = [
      ['2026-11-24', 6],
      ['2026-11-25', 0],
      ['2026-11-26', 3],
    ];
    await eventually(async () => JSON.stringify(await calls(one)) === JSON.stringify(all));
    expect(await calls(other)).toEqual(all);
    expect(await calls(one, 'alice')).toEqual([
      ['2026-11-24', 3],
      ['2026-11-25', 0],
      ['2026-11-26', 0],
    ]);
    const [day] = await other.read(DATES, 'bob');
    expect(day?.rows.map(({ principal, model }) => `${principal} ${model}`).toSorted()).toEqual(['bob m0', 'bob m1', 'bob m2']);
  });
});

test('in a Durable Object, many calls are one request, also after the one that was to send them is lost', async () => {
  const namespace = createNamespace(new Map());
  let requests = 0;
  const counting: typeof namespace = {
    ...namespace,
    get(id) {
      requests++;
      return namespace.get(id);
    },
  };
  let isLost = true;
  const sleeping: (() => void)[] = [];
  let nowMs = Date.now();
  const sleep = () => new Promise<void>((resolve) => void (isLost || sleeping.push(resolve)));
  const runtime = { ...testRuntime(), now: () => nowMs, sleep, waitUntil: () => {} };
  const { book } = createDurableLedger(counting, runtime);
  for (let count = 0; count < 100; count++) book.add('2026-11-24', usedOnce());
  isLost = false;
  nowMs += 10_000;
  for (let count = 0; count < 100; count++) book.add('2026-11-24', usedOnce());
  for (const wake of sleeping) wake();
  await eventually(async () => requests === 1);
  expect(await calls(createDurableLedger(namespace, runtime).book)).toContainEqual(['2026-11-24', 200]);
  expect(sleeping).toHaveLength(1);
});

test('in the object store, what was written under a previous secret is added', async () => {
  const [previous, current] = [newSecret(), newSecret()];
  const before = createStoredBook(setUpSealed([previous]).sealed, testRuntime());
  const after = createStoredBook(setUpSealed([current, previous]).sealed, testRuntime());
  for (const book of [before, after]) book.add('2026-11-24', usedOnce());
  await before.close();
  expect((await after.read(['2026-11-24'])).at(0)?.rows).toEqual([expect.objectContaining({ calls: 2, principal: 'alice' })]);
});

test('in the object store, what is being written is not missing', async () => {
  const { sealed } = setUpSealed();
  const book = createStoredBook(sealed, testRuntime());
  book.add('2026-11-24', usedOnce());
  const closing = book.close();
  expect((await calls(book))[0]).toEqual(['2026-11-24', 1]);
  await closing;
});

test('in the object store, a month is read a few days at a time', async () => {
  const { sealed } = setUpSealed();
  let running = 0;
  let most = 0;
  const read: typeof sealed.read = async (place) => {
    most = Math.max(most, ++running);
    const record = await sealed.read(place);
    running--;
    return record;
  };
  const dates = Array.from({ length: 31 }, (_, index) => `2026-10-${index + 1}`);
  expect((await createStoredBook({ ...sealed, read }, testRuntime()).read(dates)).map(({ date }) => date)).toEqual(dates);
  expect(most).toBe(8);
});
