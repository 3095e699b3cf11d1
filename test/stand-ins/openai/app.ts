import { type Context, Hono } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { type Accounts, createAccounts, type Fault } from './accounts.ts';
import { billOf } from './bills.ts';
import { completeChat } from './chat.ts';
import { ApiError } from './errors.ts';
import { editImages, generateImages } from './images.ts';
import { DEPLOYMENTS, listModels } from './models.ts';
import { synthesize } from './speech.ts';
import { transcribe } from './transcriptions.ts';
import { createVideos, type VideoSettings } from './videos.ts';

type Env = { Variables: { key: string; body: unknown } };
type Answer = (body: unknown) => Promise<Response> | Response;

/**
 * An OpenAI-compatible server to develop against without an account: OpenAI's paths under `/v1`, Azure OpenAI's under
 * `/openai`. It checks requests as strictly as the real one. Tests read what it received, and tell it to fail, at
 * `/_control/{api key}`.
 */
export function createOpenAIStandIn(): Hono<Env> {
  const accounts = createAccounts();
  const videos = createVideos();
  const files = new Map<string, { bytes: Uint8Array; contentType: string }>();
  const app = new Hono<Env>();

  app.get('/_control/:key/requests', (c) => c.json(accounts.requests(c.req.param('key'))));
  app.get('/_control/:key/bills', (c) => c.json(accounts.bills(c.req.param('key'))));
  app.post('/_control/:key/faults', async (c) => {
    accounts.queueFaults(c.req.param('key'), await c.req.json<Fault[]>());
    return c.body(null, 204);
  });
  app.post('/_control/:key/release', (c) => {
    accounts.release(c.req.param('key'));
    return c.body(null, 204);
  });
  app.post('/_control/:key/videos', async (c) => {
    accounts.setVideos(c.req.param('key'), await c.req.json<Partial<VideoSettings>>());
    return c.body(null, 204);
  });
  app.delete('/_control/:key/videos/:id', (c) => c.body(null, videos.forget(c.req.param('key'), c.req.param('id')) ? 204 : 404));
  app.get('/files/:id', (c) => {
    const file = files.get(c.req.param('id'));
    return file ? c.body(new Uint8Array(file.bytes), 200, { 'content-type': file.contentType }) : c.notFound();
  });

  app.use('/v1/*', (c, next) => receive(c, next, accounts, bearerToken(c)));
  app.use('/openai/*', (c, next) => receive(c, next, accounts, c.req.header('api-key')));
  app.use('/openai/*', async (c, next) => {
    if (!c.req.path.startsWith('/openai/v1/') && !c.req.query('api-version')) throw new ApiError(404, 'Resource not found', '404');
    await next();
  });

  const keepFile = (c: Context) => (bytes: Uint8Array, contentType: string) => {
    const id = crypto.randomUUID();
    files.set(id, { bytes, contentType });
    return `${new URL(c.req.url).origin}/files/${id}`;
  };
  const image =
    (c: Context, azure = false): Answer =>
    async (body) =>
      Response.json(await generateImages(body, keepFile(c), azure));

  for (const prefix of ['/v1', '/openai/v1', '/openai'])
    app.get(`${prefix}/models`, (c) => answer(c, accounts, () => Response.json(listModels())));
  app.post('/v1/chat/completions', (c) => answer(c, accounts, completeChat));
  app.post('/v1/images/generations', (c) => answer(c, accounts, image(c)));
  app.post('/openai/v1/chat/completions', (c) => answer(c, accounts, (body) => completeChat(deployed(body))));
  app.post('/openai/v1/images/generations', (c) => answer(c, accounts, (body) => image(c, true)(deployed(body))));
  app.post('/openai/deployments/:name/chat/completions', (c) =>
    answer(c, accounts, (body) => completeChat(deployed(body, c.req.param('name')))),
  );
  app.post('/openai/deployments/:name/images/generations', (c) =>
    answer(c, accounts, (body) => image(c, true)(deployed(body, c.req.param('name')))),
  );

  const edit =
    (azure = false): Answer =>
    async (body) =>
      Response.json(await editImages(body, azure));
  app.post('/v1/images/edits', (c) => answer(c, accounts, edit()));
  app.post('/openai/v1/images/edits', (c) => answer(c, accounts, (body) => edit(true)(deployed(body))));
  app.post('/openai/deployments/:name/images/edits', (c) => answer(c, accounts, (body) => edit(true)(deployed(body, c.req.param('name')))));

  app.post('/v1/audio/transcriptions', (c) => answer(c, accounts, async (body) => Response.json(await transcribe(body))));
  app.post('/openai/v1/audio/transcriptions', (c) => answer(c, accounts, async (body) => Response.json(await transcribe(deployed(body)))));
  app.post('/openai/deployments/:name/audio/transcriptions', (c) =>
    answer(c, accounts, async (body) => Response.json(await transcribe(deployed(body, c.req.param('name'))))),
  );

  app.post('/v1/audio/speech', (c) => answer(c, accounts, synthesize));
  app.post('/openai/v1/audio/speech', (c) => answer(c, accounts, (body) => synthesize(deployed(body))));
  app.post('/openai/deployments/:name/audio/speech', (c) => answer(c, accounts, (body) => synthesize(deployed(body, c.req.param('name')))));

  app.post('/v1/videos', (c) =>
    answer(c, accounts, (form) =>
      Response.json(videos.create(c.get('key'), form as Record<string, unknown>, accounts.videos(c.get('key')))),
    ),
  );
  app.get('/v1/videos/:id', (c) => answer(c, accounts, () => Response.json(videos.retrieve(c.get('key'), c.req.param('id')))));
  app.get('/v1/videos/:id/content', (c) =>
    answer(c, accounts, () => videos.content(c.get('key'), c.req.param('id'), c.req.query('variant') ?? 'video')),
  );

  app.notFound((c) => c.json(new ApiError(404, `Invalid URL (${c.req.method} ${c.req.path})`).body, 404));
  app.onError((error, c) => {
    if (error instanceof ApiError)
      return c.json(error.body, error.status as ContentfulStatusCode, { 'x-request-id': `req_${crypto.randomUUID()}` });
    console.error(error);
    return c.json(new ApiError(500, 'The stand-in has a bug.').body, 500);
  });
  return app;
}

function bearerToken(c: Context): string | undefined {
  return /^Bearer (\S+)$/.exec(c.req.header('authorization') ?? '')?.[1];
}

/** Checks the key and records the request. Keys that begin with `wrong` are refused as the real API does, quoting a part. */
async function receive(c: Context<Env>, next: () => Promise<void>, accounts: Accounts, key: string | undefined): Promise<void> {
  const recordedAs = key ?? 'none';
  const body = await readBody(c);
  const url = new URL(c.req.url);
  const recorded = { method: c.req.method, path: url.pathname, query: url.search, headers: c.req.header(), body: describeFiles(body) };
  accounts.record(recordedAs, recorded);
  c.req.raw.signal.addEventListener('abort', () => Object.assign(recorded, { brokenOffAtMs: Date.now() }));
  if (!key) throw new ApiError(401, "You didn't provide an API key.", null);
  if (key.startsWith('wrong'))
    throw new ApiError(401, `Incorrect API key provided: ${key}. You can find your API key in your account.`, 'invalid_api_key');
  c.set('key', key);
  c.set('body', body);
  await next();
}

async function readBody(c: Context): Promise<unknown> {
  if (c.req.header('content-type')?.startsWith('multipart/form-data')) return c.req.parseBody();
  const text = await c.req.text();
  return text === '' ? undefined : parseJson(text);
}

/** Files are recorded by their type and size. */
function describeFiles(body: unknown): unknown {
  if (typeof body !== 'object' || body === null) return body;
  return Object.fromEntries(
    Object.entries(body).map(([name, value]) => [name, Array.isArray(value) ? value.map(describeFile) : describeFile(value)]),
  );
}

const describeFile = (value: unknown) => (value instanceof Blob ? { type: value.type, bytes: value.size } : value);

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ApiError(400, 'We could not parse the JSON body of your request.');
  }
}

/** The true answer, or the fault that was queued for this account. */
async function answer(c: Context<Env>, accounts: Accounts, make: Answer): Promise<Response> {
  const fault = accounts.nextFault(c.get('key'), `${c.req.method} ${c.req.url}`);
  const released = fault?.hold && accounts.released(c.get('key'));
  if (fault?.hold === 'all') await released;
  if (fault?.delayMs) await new Promise((resolve) => setTimeout(resolve, fault.delayMs));
  if (fault?.status !== undefined) return faultAnswer(fault, fault.status);
  const response = await make(c.get('body'));
  const bill = c.req.method === 'POST' && (await billOf(c.req.path, c.get('body'), response));
  if (bill) accounts.bill(c.get('key'), bill);
  response.headers.set('x-request-id', `req_${crypto.randomUUID()}`);
  if (fault?.eventDelayMs) return slowAnswer(response, fault.eventDelayMs);
  return fault?.cut || fault?.stall || fault?.hold === 'half' ? halfAnswer(response, fault, released) : response;
}

function faultAnswer({ body, code, message, headers }: Fault, status: number): Response {
  const text = body ?? JSON.stringify(new ApiError(status, message ?? 'The stand-in was told to fail.', code ?? null).body);
  return new Response(status === 204 ? null : text, {
    status,
    headers: { 'content-type': body === undefined ? 'application/json' : 'text/html', ...headers },
  });
}

async function slowAnswer(response: Response, eventDelayMs: number): Promise<Response> {
  const events = (await response.text()).split(/(?<=\n\n)/);
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const event = events.shift();
      if (event === undefined) return controller.close();
      await new Promise((resolve) => setTimeout(resolve, eventDelayMs));
      controller.enqueue(new TextEncoder().encode(event));
    },
  });
  return new Response(body, response);
}

/** Media without a declared length is sent in chunks. */
function isStreamed({ headers }: Response): boolean {
  return !headers.has('content-length') && !headers.get('content-type')?.startsWith('application/json');
}

/** The second half is cut off, or comes once it is released; without a release it never comes. */
async function halfAnswer(response: Response, { cut }: Fault, released: Promise<void> = new Promise(() => {})): Promise<Response> {
  const whole = new Uint8Array(await response.arrayBuffer());
  const middle = Math.floor(whole.byteLength / 2);
  const half = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(whole.subarray(0, middle)),
    async pull(controller) {
      if (cut) return controller.error('The answer is cut, as told.');
      await released;
      controller.enqueue(whole.subarray(middle));
      controller.close();
    },
  });
  const headers = new Headers(response.headers);
  if (!isStreamed(response)) headers.set('content-length', String(whole.byteLength));
  return new Response(half, { status: response.status, headers });
}

/** Azure names a deployment, in the path or as `model`; what answers is the model behind it. */
function deployed(body: unknown, inPath?: string): unknown {
  const request = typeof body === 'object' && body !== null ? body : {};
  const name = inPath ?? ('model' in request ? String(request.model) : '');
  const model = DEPLOYMENTS[name];
  if (!model) throw new ApiError(404, 'The API deployment for this resource does not exist.', 'DeploymentNotFound');
  return { ...request, model };
}
