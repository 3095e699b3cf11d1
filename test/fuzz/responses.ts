import fc from 'fast-check';

type FuzzResponse = Readonly<{ status: number; headers: Readonly<Record<string, string>>; body: string | Uint8Array<ArrayBuffer> }>;

/** How many responses there are to choose from. */
const POOL = 2_000;
const JSON_HEADERS = { 'content-type': 'application/json' };
/** A PNG of one pixel. */
const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

const shortJson = fc.jsonValue({ maxDepth: 3, stringUnit: 'binary' });
const chat = {
  id: 'chatcmpl-fuzz',
  object: 'chat.completion',
  created: 1,
  model: 'fuzz',
  choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: '```json\n{"a":1}\n```' } }],
  usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
};
const image = { created: 1, data: [{ b64_json: PNG, revised_prompt: 'fuzz' }], usage: { total_tokens: 1 } };
const video = { id: 'video_fuzz', object: 'video', status: 'completed', progress: 100, model: 'fuzz', seconds: '4', size: '1280x720' };
const models = { object: 'list', data: [{ id: 'gpt-6-luna', object: 'model', created: 1, owned_by: 'fuzz' }] };

/**
 * What an upstream may answer: as its API promises, nearly so, an error, or something else altogether. `%KEY%` stands for
 * the key that it was sent, which some servers quote.
 */
const responses: fc.Arbitrary<FuzzResponse> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(chat, image, video, models).map((body) => json(200, body)) },
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.constantFrom<object>(chat, image, video, models), shortJson, fc.nat())
      .map(([base, value, at]) => json(200, changed(base, value, at))),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(fc.constantFrom(400, 401, 403, 404, 409, 418, 422, 429, 500, 502, 503), errorBodies())
      .map(([status, body]) => json(status, body)),
  },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom(200, 400, 500), shortJson).map(([status, body]) => json(status, body)) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom(200, 400, 502), fc.string()).map(([status, text]) => page(status, text)) },
  {
    weight: 1,
    arbitrary: fc
      .uint8Array({ maxLength: 300 })
      .map((bytes) => ({ status: 200, headers: { 'content-type': 'audio/mpeg' }, body: new Uint8Array(bytes) })),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom(200, 204, 301, 302)
      .map((status) => ({ status, headers: { location: 'http://127.0.0.1:9/%KEY%' }, body: '' })),
  },
  {
    weight: 1,
    arbitrary: fc.array(fc.oneof(shortJson, fc.constant({ choices: [{ delta: { content: 'x' } }] })), { maxLength: 5 }).map(stream),
  },
);

function errorBodies(): fc.Arbitrary<unknown> {
  const text = fc.oneof(
    fc.string(),
    fc.constantFrom('Incorrect API key provided: %KEY%.', 'x'.repeat(20_000), '*'.repeat(20_000), ' '.repeat(20_000)),
  );
  const field = fc.oneof(text, shortJson, fc.constant(undefined));
  return fc.record({
    error: fc.oneof(
      { weight: 5, arbitrary: fc.record({ message: field, code: field, type: field, param: field }) },
      { weight: 1, arbitrary: field },
    ),
  });
}

// No wait before another attempt, because the time of the gateway is what is measured.
function json(status: number, body: unknown): FuzzResponse {
  return { status, headers: { ...JSON_HEADERS, 'retry-after': '0' }, body: JSON.stringify(body) ?? '' };
}

function page(status: number, text: string): FuzzResponse {
  return { status, headers: { 'content-type': 'text/html' }, body: `<html><body>${text} %KEY%</body></html>` };
}

function stream(events: unknown[]): FuzzResponse {
  const body = events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join('');
  return { status: 200, headers: { 'content-type': 'text/event-stream' }, body };
}

/** A copy in which one value, wherever it is, has been replaced. */
function changed(base: object, value: unknown, at: number): object {
  const copy = structuredClone(base);
  const places: [Record<string, unknown>, string][] = [];
  const walk = (parent: Record<string, unknown>) => {
    for (const [key, child] of Object.entries(parent)) {
      places.push([parent, key]);
      if (typeof child === 'object' && child !== null) walk(child as Record<string, unknown>);
    }
  };
  walk(copy as Record<string, unknown>);
  const [parent, key] = places[at % places.length] ?? [];
  if (parent && key !== undefined) parent[key] = value;
  return copy;
}

/** An upstream and a storage account in one: the same request gets the same response. */
export type FuzzUpstream = (request: { method: string; url: string; body: string; key: string }) => FuzzResponse;

export function createFuzzUpstream(seed: number): FuzzUpstream {
  const pool = fc.sample(responses, { seed, numRuns: POOL });
  return ({ method, url, body, key }) => {
    const { pathname, search } = new URL(url);
    if (pathname.startsWith('/storage/')) return storageResponse(method);
    const found = pool[hash(method + pathname + search + body) % pool.length];
    if (!found) throw new Error('The pool of responses is empty.');
    const quoteKey = (text: string) => text.replaceAll('%KEY%', key);
    const headers = Object.fromEntries(Object.entries(found.headers).map(([name, value]) => [name, quoteKey(value)]));
    return { ...found, headers, body: typeof found.body === 'string' ? quoteKey(found.body) : found.body };
  };
}

/** Azure's, in so far as nothing is wrong with it. */
function storageResponse(method: string): FuzzResponse {
  const headers = {
    'x-ms-request-id': 'fuzz',
    'x-ms-version': '2025-11-05',
    etag: '"0x1"',
    'last-modified': 'Wed, 25 Nov 2026 00:00:00 GMT',
  };
  if (method === 'PUT') return { status: 201, headers, body: '' };
  return { status: 404, headers: { ...headers, 'x-ms-error-code': 'BlobNotFound' }, body: '' };
}

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return value;
}
