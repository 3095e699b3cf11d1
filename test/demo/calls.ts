import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

type Call = Readonly<{ name: string; arguments: Readonly<Record<string, unknown>> }>;

/** What came of a call. `urls` are those of the stored files. */
export type Outcome = Readonly<{ call: Call; isOk: boolean; text: string; urls: readonly string[]; costUsd?: number | undefined }>;

/** In order; one may use the URLs of those before it. */
const CALLS: readonly (Call | ((earlier: readonly string[]) => Call))[] = [
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
  { name: 'generate_image', arguments: { prompt: 'Mountains at sunset by a lake', size: '1536x1024', output_format: 'jpeg' } },
  { name: 'generate_image', arguments: { prompt: 'A cat under a street lamp at night', size: '1024x1024' } },
  { name: 'generate_image', arguments: { prompt: 'A hot air balloon over a forest at dawn', size: '1024x1536' } },
  ([lighthouse = '']) => ({ name: 'edit_image', arguments: { prompt: 'The same as a negative', images: [lighthouse] } }),
  { name: 'synthesize_speech', arguments: { input: 'This is the stand-in.', voice: 'marin', response_format: 'mp3' } },
  (earlier) => ({ name: 'transcribe_audio', arguments: { audio: earlier.at(-1) ?? '' } }),
  { name: 'create_upload', arguments: {} },
  (earlier) => ({ name: 'edit_image', arguments: { prompt: 'The upload as a negative', images: [earlier.at(-1) ?? ''] } }),
  { name: 'generate_video', arguments: { prompt: 'A paper boat at sunset', seconds: 4, size: '1280x720' } },
  { name: 'list_media', arguments: { kind: 'image', limit: 3 } },
];

/** Calls the tools one after the other and prints each call and its result. */
export async function* callTools(gatewayUrl: string, key: string, say: (text?: string) => void): AsyncGenerator<Outcome> {
  const client = new Client({ name: 'demo', version: '1' });
  const requestInit = { headers: { Authorization: `Bearer ${key}` } };
  await client.connect(new StreamableHTTPClientTransport(new URL(`${gatewayUrl}/mcp`), { requestInit }));
  const earlier: string[] = [];
  for (const next of CALLS) {
    const call = typeof next === 'function' ? next(earlier) : next;
    const startMs = performance.now();
    const result = await client.callTool({ ...call }, { onprogress: ({ message }) => say(`     … ${message}`) });
    const urls = urlsIn(result.structuredContent);
    const { upload_url, cost_usd: costUsd } = (result.structuredContent ?? {}) as { upload_url?: string; cost_usd?: number };
    if (upload_url) await upload(upload_url, earlier[0] ?? '');
    earlier.push(...urls);
    const readable = await Promise.all(urls.map(isReadable));
    const isOk = !result.isError && readable.every(Boolean);
    const text = result.content.flatMap((block) => (block.type === 'text' ? [block.text] : [])).join('\n');
    say(`${isOk ? 'ok  ' : 'FAIL'} ${call.name} ${JSON.stringify(call.arguments)}   ${Math.round(performance.now() - startMs)} ms`);
    say(`${text.replace(/^/gm, '     ')}\n`);
    yield { call, isOk, text, urls, costUsd };
  }
  await client.close();
}

/** Sends a file to the gateway, as a client's user would from the disk. */
async function upload(uploadUrl: string, sourceUrl: string): Promise<void> {
  const file = await (await fetch(sourceUrl)).arrayBuffer();
  await fetch(uploadUrl, { method: 'PUT', body: file });
}

/** The values of every `url` in a result, at any depth. */
function urlsIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => (name === 'url' && typeof inner === 'string' ? [inner] : urlsIn(inner)));
}

async function isReadable(url: string): Promise<boolean> {
  const response = await fetch(url);
  return response.ok && (await response.arrayBuffer()).byteLength > 0;
}
