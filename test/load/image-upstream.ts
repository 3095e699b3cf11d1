import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export type ImageUpstream = Readonly<{
  url: string;
  /** What it has billed: the ids of the images, by prompt. */
  billed: ReadonlyMap<string, readonly string[]>;
  /** Whether an image for this prompt is billed and not sent yet. */
  isWorkingOn: (prompt: string) => boolean;
  close: () => void;
}>;

/** The smallest PNG there is: one pixel. */
const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

/** An images API that names each image that it bills in `revised_prompt`, and takes `delayMs()` for it. */
export async function startImageUpstream(delayMs: () => number): Promise<ImageUpstream> {
  const billed = new Map<string, string[]>();
  const working = new Map<string, number>();
  const count = (prompt: string, change: number) => working.set(prompt, (working.get(prompt) ?? 0) + change);
  let images = 0;
  const server = createServer({ keepAliveTimeout: 600_000 }, async (incoming, response) => {
    let text = '';
    try {
      for await (const chunk of incoming.setEncoding('utf8')) text += chunk;
    } catch {
      // A gateway that was killed before it had sent all is not billed.
      return;
    }
    const { prompt } = JSON.parse(text) as { prompt: string };
    const id = `image-${++images}`;
    billed.set(prompt, [...(billed.get(prompt) ?? []), id]);
    count(prompt, 1);
    setTimeout(() => {
      count(prompt, -1);
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ created: 1, data: [{ b64_json: PNG, revised_prompt: id }] }));
    }, delayMs());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/v1`,
    billed,
    isWorkingOn: (prompt) => (working.get(prompt) ?? 0) > 0,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
