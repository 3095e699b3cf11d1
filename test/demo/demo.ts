/**
 * `npm run demo`: the gateway with local parts, an MCP client that calls its tools, and a page that shows what was made.
 * Keeps serving; with `--once` it ends, with exit code 0 when every call worked. `--store s3` keeps media in a bucket.
 */
import { parseArgs } from 'node:util';
import { assertPortIsFree, startNodeGateway } from '../gateways.ts';
import { startOpenAIStandIn } from '../stand-ins/openai/server.ts';
import { callTools, type Outcome } from './calls.ts';
import { startGallery } from './gallery.ts';
import { startStore } from './stores.ts';

/** The same for everyone: it opens nothing but the demo. */
const KEY = 'demo-key-for-this-machine-only';
/** With it, the page at /usage shows what all principals have used. */
const ADMIN_KEY = 'demo-admin-key-for-this-machine-only';
/** The stand-in's models, as if they cost what OpenAI's do. */
const MODELS = ['gpt-6-luna', 'gpt-image-2', 'gpt-4o-mini-tts', 'gpt-transcribe', 'sora-2'];
const GALLERY_PORT = 8080;
const { once, store: kind } = parseArgs({
  options: { once: { type: 'boolean', default: false }, store: { type: 'string', default: 'azure' } },
}).values;
const say = (text = '') => process.stdout.write(`${text}\n`);

const running: { close: () => Promise<void> }[] = [];
process.once('SIGINT', () => void stop(0));
process.once('SIGTERM', () => void stop(0));

try {
  await run();
} catch (error) {
  process.stderr.write(`The demo cannot continue: ${error instanceof Error ? error.message : String(error)}\n`);
  await stop(1);
}

async function run(): Promise<void> {
  await assertPortIsFree(Number(process.env.PORT ?? '8000'));
  say('Starting the storage, the OpenAI stand-in and the gateway …');
  const store = await keep(startStore(kind));
  const openai = await keep(startOpenAIStandIn());
  const gateway = await keep(
    startNodeGateway({
      PORT: process.env.PORT ?? '8000',
      MCP_SERVER_API_KEY: KEY,
      MCP_ADMIN_KEY: ADMIN_KEY,
      MCP_BUDGET_USD_PER_DAY: '100',
      MODEL_PRICES: JSON.stringify(Object.fromEntries(MODELS.map((model) => [model, model]))),
      OPENAI_API_KEY: 'demo',
      OPENAI_BASE_URL: `${openai.url}/v1`,
      ...store.env,
    }),
  );
  const outcomes: Outcome[] = [];
  const gallery = await keep(startGallery({ gatewayUrl: gateway.url, key: KEY, store, outcomes }, GALLERY_PORT));
  say(`\nGateway: ${gateway.url}/mcp   (Authorization: Bearer ${KEY})`);
  say('Text, images, speech and video come from a stand-in on this machine, not from OpenAI. Nothing is billed.\n');

  for await (const outcome of callTools(gateway.url, KEY, say)) outcomes.push(outcome);
  const failures = outcomes.filter(({ isOk }) => !isOk).length;
  const costUsd = outcomes.reduce((sum, { costUsd = 0 }) => sum + costUsd, 0);
  say(failures === 0 ? `All ${outcomes.length} calls worked.` : `${failures} of ${outcomes.length} calls failed.`);
  say(`At OpenAI, they would have cost $${costUsd.toFixed(4)}. What was used: ${gateway.url}/usage (key: ${ADMIN_KEY})`);
  if (once) {
    const page = await fetch(gallery.url);
    say(`The page at ${gallery.url} ${page.ok ? 'showed' : 'failed to show'} the results. Without --once it stays.`);
    await stop(failures === 0 && page.ok ? 0 : 1);
  }
  say(`\nThe gateway keeps running; Ctrl+C stops it.\nThe results, and how to connect a client: ${gallery.url}`);
}

/** Whatever has been started is stopped at the end, however that comes. */
async function keep<Part extends { close: () => Promise<void> }>(starting: Promise<Part>): Promise<Part> {
  const part = await starting;
  running.push(part);
  return part;
}

async function stop(code: number): Promise<never> {
  await Promise.all(running.map((part) => part.close()));
  process.exit(code);
}
