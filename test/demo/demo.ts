/**
 * `npm run demo`: the gateway with local parts, and an MCP client that calls its tools. Keeps serving; with `--once`
 * it ends, with exit code 0 when every call worked.
 */
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { assertPortIsFree, startNodeGateway } from '../gateways.ts';
import { startAzurite } from '../stand-ins/azurite.ts';
import { startOpenAIStandIn } from '../stand-ins/openai/server.ts';

const KEY = 'demo-key';
const once = process.argv.includes('--once');
const say = (text = '') => process.stdout.write(`${text}\n`);

const CALLS = [
  { name: 'list_supported_models', arguments: { verify: true } },
  { name: 'chat_completion', arguments: { prompt: 'Why is the sky blue?' } },
  {
    name: 'chat_completion',
    arguments: {
      prompt: 'A city and its population, as JSON.',
      json_schema: {
        type: 'object',
        properties: { city: { type: 'string' }, population: { type: 'integer' } },
        required: ['city', 'population'],
      },
    },
  },
  { name: 'generate_image', arguments: { prompt: 'A lighthouse in a storm', n: 2, size: '1024x768' } },
  {
    name: 'generate_image',
    arguments: { prompt: 'A robot reading a newspaper', size: '768x768', output_format: 'webp', output_compression: 80 },
  },
  { name: 'synthesize_speech', arguments: { input: 'This is the stand-in.', voice: 'marin', response_format: 'mp3' } },
  { name: 'generate_video', arguments: { prompt: 'A paper boat on a river', seconds: 4, size: '1280x720' } },
];

const running: { close: () => Promise<void> }[] = [];
process.once('SIGINT', () => void stop(0));
process.once('SIGTERM', () => void stop(0));

try {
  await run();
} catch (error) {
  process.stderr.write(`The demo could not go on: ${error instanceof Error ? error.message : String(error)}\n`);
  await stop(1);
}

async function run(): Promise<void> {
  await assertPortIsFree(Number(process.env.PORT ?? '8000'));
  say('Starting Azurite, the OpenAI stand-in and the gateway …');
  const azurite = await keep(startAzurite());
  const openai = await keep(startOpenAIStandIn());
  const gateway = await keep(
    startNodeGateway({
      PORT: process.env.PORT ?? '8000',
      MCP_SERVER_API_KEY: KEY,
      OPENAI_API_KEY: 'demo',
      OPENAI_BASE_URL: `${openai.url}/v1`,
      AZURE_STORAGE_CONNECTION_STRING: azurite.connectionString,
      AZURE_BLOB_CONTAINER: azurite.container,
      AZURE_BLOB_PUBLIC_BASE_URL: azurite.containerUrl,
    }),
  );
  say(`\nGateway: ${gateway.url}/mcp   (Authorization: Bearer ${KEY})`);
  say('The answers, pictures, sounds and videos come from a stand-in on this machine, not from OpenAI. Nothing is charged.\n');

  const failures = await callTools(gateway.url);
  say(failures === 0 ? `All ${CALLS.length} calls worked.` : `${failures} of ${CALLS.length} calls failed.`);
  if (once) await stop(failures === 0 ? 0 : 1);

  say('\nStill serving. Point an MCP client at it, for example with this mcp.json:\n');
  const server = { type: 'http', url: `${gateway.url}/mcp`, headers: { Authorization: `Bearer ${KEY}` } };
  say(JSON.stringify({ mcpServers: { openai: server } }, null, 2));
  say('\nCtrl+C ends it.');
}

/** Whatever has been started is stopped at the end, however that comes. */
async function keep<Part extends { close: () => Promise<void> }>(starting: Promise<Part>): Promise<Part> {
  const part = await starting;
  running.push(part);
  return part;
}

/** Calls the tools one after the other, prints each call and its answer, and returns how many failed. */
async function callTools(url: string): Promise<number> {
  const client = new Client({ name: 'demo', version: '1' });
  await client.connect(
    new StreamableHTTPClientTransport(new URL(`${url}/mcp`), { requestInit: { headers: { Authorization: `Bearer ${KEY}` } } }),
  );
  let failed = 0;
  for (const call of CALLS) {
    const startMs = performance.now();
    const result = await client.callTool(call, { onprogress: ({ message }) => say(`     … ${message}`) });
    const links = result.content.flatMap((block) => (block.type === 'resource_link' ? [block.uri] : []));
    const readable = await Promise.all(links.map(isReadable));
    const worked = !result.isError && readable.every(Boolean);
    if (!worked) failed++;
    say(`${worked ? 'ok  ' : 'FAIL'} ${call.name} ${JSON.stringify(call.arguments)}   ${Math.round(performance.now() - startMs)} ms`);
    for (const block of result.content) if (block.type === 'text') say(block.text.replace(/^/gm, '     '));
    say();
  }
  await client.close();
  return failed;
}

async function isReadable(url: string): Promise<boolean> {
  const response = await fetch(url);
  return response.ok && (await response.arrayBuffer()).byteLength > 0;
}

async function stop(code: number): Promise<never> {
  await Promise.all(running.map((part) => part.close()));
  process.exit(code);
}
