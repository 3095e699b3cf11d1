import { execFile } from 'node:child_process';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { startNodeGateway } from './gateways.ts';
import { CLIENT_KEY, recordedRequests, testEnvironment } from './support.ts';

const EXAMPLE = fileURLToPath(new URL('../docs/examples/edit-and-look.mjs', import.meta.url));

test('an agent uploads a picture, edits it, looks at the preview, and edits again', async () => {
  const env = testEnvironment();
  const gateway = await startNodeGateway(env);
  const photo = join(await mkdtemp(join(tmpdir(), 'photo-')), 'photo.jpg');
  const color = { r: 20, g: 120, b: 220 };
  const picture = sharp({ create: { width: 96, height: 64, channels: 3, background: color } });
  await writeFile(photo, await picture.jpeg().toBuffer());
  const { stdout } = await promisify(execFile)(process.execPath, [EXAMPLE, photo, 'Make it night'], {
    env: { ...process.env, GATEWAY_URL: `${gateway.url}/mcp`, MCP_SERVER_API_KEY: CLIENT_KEY },
  });
  await gateway.close();
  const urls = [...stdout.matchAll(/^edit \d: (http\S+)$/gm)].map(([, url = '']) => url);
  expect(new Set(urls).size).toBe(3);
  const requests = await recordedRequests(env.OPENAI_API_KEY ?? '');
  const paths = requests.map(({ path }) => path.split('/').at(-1));
  expect(paths).toEqual(['edits', 'completions', 'edits', 'completions', 'edits', 'completions']);
  // Each edit of the stand-in is the negative of the one before, and what the model looks at is what was made.
  for (const [index, url] of urls.entries()) {
    const stored = await meanOf(new Uint8Array(await (await fetch(url)).arrayBuffer()));
    const seen = JSON.stringify(requests[2 * index + 1]?.body).match(/data:image\/\w+;base64,([\w+/=]+)/)?.[1] ?? '';
    for (const mean of [stored, await meanOf(Buffer.from(seen, 'base64'))])
      for (const [channel, value] of Object.values(color).entries())
        expect(Math.abs((mean[channel] ?? 0) - (index % 2 === 0 ? 255 - value : value))).toBeLessThan(12);
  }
});

async function meanOf(image: Uint8Array): Promise<number[]> {
  return (await sharp(image).stats()).channels.map(({ mean }) => mean);
}
