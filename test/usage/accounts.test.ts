import { describe, expect, test } from 'vitest';
import type { JobOutcome } from '../../src/jobs/jobs.ts';
import { EMPTY_ACCOUNT, jobsOf, leftUsd } from '../../src/usage/account.ts';
import { createAccountObject } from '../../src/usage/account-object.ts';
import { type Accounts, createMemoryAccounts } from '../../src/usage/accounts.ts';
import { createDurableLedger } from '../../src/usage/durable-ledger.ts';
import { createStoredAccounts } from '../../src/usage/stored-accounts.ts';
import { setUpSealed } from '../jobs/sealed.ts';
import { createSleepClock, eventually, testRuntime } from '../support.ts';
import { createNamespace, createStorage, type Outcomes, RUNNING } from './namespace.ts';

const ID = { owner: 'principal alice', date: '2026-11-25' };
const LIMIT = { limitUsd: 1 };

/** Several processes over one set of accounts, and what the records of jobs say. */
type Kind = Readonly<{ name: string; create: (processes: number, outcomes: Outcomes) => Promise<Accounts[]> }>;

const runtimeOf = () => ({ ...testRuntime(), ...createSleepClock(100) });

const KINDS: Kind[] = [
  {
    name: 'in the object store',
    async create(processes, outcomes) {
      const { sealed } = setUpSealed();
      return Array.from({ length: processes }, () =>
        createStoredAccounts({ sealed, outcomeOf: async (_, job) => outcomes.get(job) ?? RUNNING, runtime: runtimeOf() }),
      );
    },
  },
  {
    name: 'in Durable Objects',
    async create(processes, outcomes) {
      const namespace = createNamespace(outcomes);
      return Array.from({ length: processes }, () => createDurableLedger(namespace, { ...runtimeOf(), waitUntil: () => {} }).accounts);
    },
  },
  { name: 'in memory', create: async (processes) => Array(processes).fill(createMemoryAccounts(() => crypto.randomUUID())) },
];

const job = (id: string) => ({ id, place: `place-of-${id}` });
const heldUsd = async (accounts: Accounts) => LIMIT.limitUsd - leftUsd(await accounts.read(ID), LIMIT.limitUsd);

/** Sets amounts aside in turn in each process, all at once; resolves with those that were. */
async function holdAll(processes: readonly Accounts[], count: number, usd: number, withJobs: boolean) {
  const results = await Promise.all(
    Array.from({ length: count }, (_, index) => {
      const hold = { usd, ...LIMIT, ...(withJobs && { job: job(`job-${index}`) }) };
      return (processes[index % processes.length] as Accounts).hold(ID, hold);
    }),
  );
  return results.flatMap((result) => ('settle' in result ? [result.settle] : []));
}

describe.each(KINDS)('accounts $name', ({ name, create }) => {
  test.each([true, false])('never set aside more than the limit, whichever process asks (jobs: %s)', async (withJobs) => {
    const processes = await create(3, new Map());
    const held = await holdAll(processes, 60, 0.04, withJobs);
    expect(held.length).toBeLessThanOrEqual(25);
    // A process may have taken some more than it has used.
    expect(held.length).toBeGreaterThanOrEqual(withJobs ? 25 : 20);
    expect(await heldUsd(processes[0] as Accounts)).toBeLessThanOrEqual(1 + 1e-9);
    for (const settle of held) settle(0);
  });

  test.each([true, false])('hold in the end what was spent, and nothing else (jobs: %s)', async (withJobs) => {
    const processes = await create(3, new Map());
    const held = await holdAll(processes, 20, 0.04, withJobs);
    for (const [index, settle] of held.entries()) {
      settle(index / 1000);
      settle(5);
    }
    const spentUsd = held.reduce((sum, _, index) => sum + index / 1000, 0);
    await eventually(async () => {
      await Promise.all(processes.map((accounts) => accounts.close()));
      return (await processes[0]?.read(ID))?.spentUsd.toFixed(9) === spentUsd.toFixed(9);
    });
    expect(Object.keys((await processes[0]?.read(ID))?.holds ?? { none: 1 })).toEqual([]);
  });

  test('say what is left when that is too little, and have it again when a call has cost nothing', async () => {
    const [accounts] = (await create(1, new Map())) as [Accounts];
    const first = await accounts.hold(ID, { usd: 0.9, ...LIMIT, job: job('job-a') });
    const second = await accounts.hold(ID, { usd: 0.2, ...LIMIT, job: job('job-b') });
    expect(second).toEqual({ leftUsd: expect.closeTo(0.1) });
    if ('settle' in first) first.settle(0);
    const third = await eventually(async () => {
      const held = await accounts.hold(ID, { usd: 0.2, ...LIMIT, job: job('job-b') });
      return 'settle' in held && held;
    });
    if (third) third.settle(0);
  });

  test('are separate for each principal and each day', async () => {
    const [accounts] = (await create(1, new Map())) as [Accounts];
    await accounts.hold(ID, { usd: 1, ...LIMIT });
    for (const id of [
      { ...ID, owner: 'principal bob' },
      { ...ID, date: '2026-11-26' },
    ])
      expect(await accounts.hold(id, { usd: 1, ...LIMIT })).toHaveProperty('settle');
    expect(await accounts.hold(ID, { usd: 0.01, ...LIMIT })).toHaveProperty('leftUsd');
  });

  if (name === 'in memory') return;

  test('count what a dead process has set aside until the records of its jobs say what they cost', async () => {
    const outcomes: Outcomes = new Map();
    const [dead, alive] = (await create(2, outcomes)) as [Accounts, Accounts];
    for (const id of ['job-done', 'job-free', 'job-unknown', 'job-running']) await dead.hold(ID, { usd: 0.2, ...LIMIT, job: job(id) });
    outcomes.set('job-done', { state: 'ended', usd: 0.07 });
    outcomes.set('job-free', { state: 'ended', usd: 0 });
    outcomes.set('job-unknown', { state: 'ended', usd: undefined });
    expect(await alive.hold(ID, { usd: 0.3, ...LIMIT, job: job('job-own') })).toEqual({ leftUsd: expect.closeTo(0.2) });
    await eventually(async () => (await alive.read(ID)).spentUsd > 0.26);
    const account = await alive.read(ID);
    expect(account.spentUsd).toBeCloseTo(0.07 + 0 + 0.2);
    expect(jobsOf(account).map(({ id }) => id)).toEqual(['job-running']);
  });
});

test('an object that has been lost and is made anew wakes when the lost one would have', async () => {
  const storage = createStorage(() => {});
  const ask = (request: object) =>
    createAccountObject(storage, async () => RUNNING, Date).fetch(
      new Request('http://account/', { method: 'POST', body: JSON.stringify(request) }),
    );
  await ask({ hold: { usd: 0.2, ...LIMIT, date: ID.date, id: 'job-lost', job: job('job-lost') } });
  const alarmMs = await storage.getAlarm();
  await ask({ hold: { usd: 0.2, ...LIMIT, date: ID.date, id: 'chat' } });
  expect(await storage.getAlarm()).toBe(alarmMs);
  expect(alarmMs).toBeLessThan(Date.now() + 120_000);
});

test('a record that cannot be read keeps no other job from being settled', async () => {
  const { sealed } = setUpSealed();
  const outcomeOf = async (_: string, id: string): Promise<JobOutcome> => {
    if (id === 'job-unreadable') throw new Error('It cannot be read.');
    return { state: 'ended', usd: 0.07 };
  };
  const [dead, alive] = [1, 2].map(() => createStoredAccounts({ sealed, outcomeOf, runtime: runtimeOf() })) as [Accounts, Accounts];
  for (const id of ['job-unreadable', 'job-done']) await dead.hold(ID, { usd: 0.2, ...LIMIT, job: job(id) });
  await alive.hold(ID, { usd: 0.001, ...LIMIT });
  await eventually(async () => (await alive.read(ID)).spentUsd > 0);
  expect(jobsOf(await alive.read(ID)).map(({ id }) => id)).toEqual(['job-unreadable']);
});

describe('a portion of an account in the object store', () => {
  test('lets calls draw on it without a request, and counts as spent when its process dies', async () => {
    const [one, other] = (await (KINDS[0] as Kind).create(2, new Map())) as [Accounts, Accounts];
    await one.hold(ID, { usd: 0.001, ...LIMIT });
    const stored = await heldUsd(other);
    for (let call = 0; call < 5; call++) await one.hold(ID, { usd: 0.001, ...LIMIT });
    expect(await heldUsd(other)).toBe(stored);
    expect(stored).toBeGreaterThan(0.006);
    expect(stored).toBeLessThan(0.05);
  });

  test('is given back to the last cent, whatever binary fractions do', async () => {
    const { sealed } = setUpSealed();
    const clock = createSleepClock();
    const accounts = createStoredAccounts({ sealed, outcomeOf: async () => RUNNING, runtime: { ...testRuntime(), ...clock } });
    const estimates = [0.00057, 0.0001, 0.0007, 0.00029, 0.0003];
    const held = await Promise.all(estimates.map((usd) => accounts.hold(ID, { usd, limitUsd: 0.192 })));
    // In another order, the sums of binary fractions differ.
    for (const [index, result] of [...held.entries()].toReversed()) if ('settle' in result) result.settle((estimates[index] as number) / 3);
    await accounts.close();
    expect((await accounts.read(ID)).holds).toEqual({});
  });

  test('is given back when it is not used', async () => {
    const [accounts] = (await (KINDS[0] as Kind).create(1, new Map())) as [Accounts];
    const held = await accounts.hold(ID, { usd: 0.001, ...LIMIT });
    if ('settle' in held) held.settle(0.002);
    await eventually(async () => (await heldUsd(accounts)) < 0.0021);
    expect(await accounts.read(ID)).toEqual({ ...EMPTY_ACCOUNT, spentUsd: 0.002 });
  });
});
