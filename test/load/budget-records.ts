import { BlobServiceClient } from '@azure/storage-blob';
import { createBlobStore } from '../../src/azure/blob-store.ts';
import { parseConnectionString } from '../../src/azure/connection-string.ts';
import { createDayIndex, type IndexEntry } from '../../src/jobs/day-index.ts';
import { type JobEntry, jobRecord } from '../../src/jobs/record.ts';
import { createSealedStore } from '../../src/jobs/sealed-store.ts';
import { createLog } from '../../src/log.ts';
import { createNodeRuntime } from '../../src/runtime/node.ts';
import { createStateKeys } from '../../src/state-key.ts';
import { type AccountNamespace, createDurableLedger } from '../../src/usage/durable-ledger.ts';
import { createLedger, type Ledger } from '../../src/usage/ledger.ts';
import type { RunningAzurite } from '../stand-ins/azurite.ts';

export type Storage = Pick<RunningAzurite, 'connectionString' | 'container' | 'containerUrl'>;

/** Where the records of one run are, and the secret that opens them. */
export type Place = Readonly<{ storage: Storage; secret: string; pathPrefix: string | undefined }>;

/** What the gateways have written, read with their secret as they read it. */
export type Records = Readonly<{
  ledger: Ledger;
  /** The list of what was made. */
  listed: (principals: readonly string[], dates: readonly string[]) => Promise<readonly IndexEntry[]>;
  /** Every record of jobs, found by listing the container, as no gateway ever does. */
  jobs: () => Promise<readonly (JobEntry & { principal: string })[]>;
}>;

const runtime = createNodeRuntime(createLog('error', { write: () => {}, redact: (text) => text, now: Date.now }));

/** `accounts`: the Durable Objects in which the accounts are on Workers. */
export function openRecords({ storage, secret, pathPrefix }: Place, accounts?: AccountNamespace): Records {
  const { connectionString, container, containerUrl } = storage;
  const parsed = parseConnectionString(connectionString);
  if (!parsed.ok) throw new Error(parsed.problem);
  const store = createBlobStore({ account: parsed.account, container, publicBaseUrl: containerUrl }, runtime);
  const keys = createStateKeys([secret]);
  const open = (folder: 'state' | 'history' | 'usage') => createSealedStore(store, { keys, pathPrefix, folder });
  const index = createDayIndex(open('history'), runtime);
  const unsettled = async () => ({ state: 'running' as const, untilMs: Number.POSITIVE_INFINITY });
  return {
    ledger: accounts ? createDurableLedger(accounts, runtime) : createLedger(open('usage'), unsettled, runtime),
    async listed(principals, dates) {
      const days = principals.flatMap((principal) => dates.map((date) => index.read(principal, Date.parse(date))));
      return (await Promise.all(days)).flat();
    },
    async jobs() {
      const sealed = open('state');
      const folder = `${pathPrefix ? `${pathPrefix}/` : ''}state/`;
      const jobs: (JobEntry & { principal: string })[] = [];
      const listed = BlobServiceClient.fromConnectionString(connectionString).getContainerClient(container);
      for await (const { name } of listed.listBlobsFlat({ prefix: folder })) {
        const record = jobRecord.safeParse((await sealed.read(name.slice(folder.length)))?.value).data;
        jobs.push(...(record?.jobs ?? []).map((job) => ({ ...job, principal: record?.principal ?? '' })));
      }
      return jobs;
    },
  };
}
