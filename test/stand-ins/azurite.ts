import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { BlobServiceClient, ContainerSASPermissions } from '@azure/storage-blob';

export type RunningAzurite = {
  connectionString: string;
  /** The same account without its key: a SAS that may create and write in the container. */
  sasConnectionString: string;
  /** Anyone may read its blobs. */
  container: string;
  containerUrl: string;
  /** Nobody may, without a SAS. */
  privateContainer: string;
  close: () => Promise<void>;
};

/** The emulator's published account and key: the same for everyone, and good for nothing else. */
const ACCOUNT = 'devstoreaccount1';
const KEY = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';

/** Starts Azure Storage's emulator on loopback, in memory, with a container that anyone may read, and a private one. */
export async function startAzurite(): Promise<RunningAzurite> {
  const main = fileURLToPath(new URL('../../node_modules/azurite/dist/src/blob/main.js', import.meta.url));
  const args = ['--blobHost', '127.0.0.1', '--blobPort', '0', '--inMemoryPersistence', '--skipApiVersionCheck', '--disableTelemetry'];
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  // However this process ends, its child does not outlive it.
  process.once('exit', () => child.kill('SIGKILL'));
  const endpoint = `${await listeningUrl(child)}/${ACCOUNT}`;
  const connectionString = `DefaultEndpointsProtocol=http;AccountName=${ACCOUNT};AccountKey=${KEY};BlobEndpoint=${endpoint};`;
  const [container, privateContainer] = ['media', 'private'];
  const service = BlobServiceClient.fromConnectionString(connectionString);
  const client = service.getContainerClient(container);
  await client.create({ access: 'blob' });
  await service.getContainerClient(privateContainer).create();
  const sasUrl = await client.generateSasUrl({
    permissions: ContainerSASPermissions.parse('cw'),
    expiresOn: new Date(Date.now() + 3_600_000),
  });
  return {
    connectionString,
    sasConnectionString: `BlobEndpoint=${endpoint};SharedAccessSignature=${new URL(sasUrl).search.slice(1)}`,
    container,
    containerUrl: `${endpoint}/${container}`,
    privateContainer,
    close: async () => {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

async function listeningUrl(child: ChildProcess): Promise<string> {
  if (!child.stdout) throw new Error('Azurite has no output.');
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /listens on (http:\/\/\S+)/.exec(line)?.[1];
    if (!url) continue;
    child.stdout.resume();
    return url;
  }
  throw new Error('Azurite did not start.');
}
