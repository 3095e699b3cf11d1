import { type Context, Hono, type MiddlewareHandler } from 'hono';
import type { ConfigProblem } from './config.ts';
import { ABOUT, type Gateway, VERSION } from './gateway.ts';
import { home } from './home/home.ts';
import { admit } from './http/admit.ts';
import { authenticate } from './http/authenticate.ts';
import { type HttpEnv, httpError, jsonRpcError } from './http/errors.ts';
import { host } from './http/host.ts';
import { readJsonRpcBody } from './http/json-body.ts';
import { origin } from './http/origin.ts';
import { requestLog } from './http/request-log.ts';
import { MAX_NAME_CHARACTERS, MAX_PATH_CHARACTERS } from './limits.ts';
import type { Exchange } from './mcp/exchange.ts';
import { SSE_PROTOCOL_VERSION } from './mcp/sse-session.ts';
import type { SseSessions } from './mcp/sse-sessions.ts';
import type { Runtime } from './ports.ts';

export type AppOptions = Readonly<{
  sessions: SseSessions;
  /** While true, `/ready` asks for no more traffic, and new calls are refused. */
  isDraining?: () => boolean;
}>;

/** The routes and the middleware, in order. */
export function createApp(
  { server, runtime, verifyToken, streamableHttp, callsInFlight }: Gateway,
  { sessions, isDraining = () => false }: AppOptions,
): Hono<HttpEnv> {
  const app = createBase(runtime);
  app.get('/ready', (c) => (isDraining() ? c.json({ status: 'draining' }, 503) : c.json({ status: 'ready' })));
  const checkHost = host(server.allowedHosts, server.host);
  app.get(
    '/',
    checkHost,
    home(ABOUT, () => ({ status: isDraining() ? 'draining' : 'ready' })),
  );

  app.use(checkHost, origin(server.allowedOrigins));
  // Before anything is awaited, so that a flood of calls holds no memory.
  app.use(admit(runtime.maxCalls, callsInFlight));
  app.use(authenticate(verifyToken));

  app.use('/mcp', refuseWhile(isDraining)).use('/sse', refuseWhile(isDraining));

  const answer = async (c: Context<HttpEnv>) => {
    const body = await readJsonRpcBody(c, runtime);
    return body instanceof Response ? body : streamableHttp(c.req.raw, body.message, exchangeOf(c));
  };
  // Some clients send POSTs even to the URL of a legacy stream, and open the stream only when that fails.
  app.post('/mcp', answer).get((c) => (asksForLegacyStream(c.req.raw) ? openStream(c, sessions) : refuseMethod(c, 'POST')));
  app.post('/sse', answer).get((c) => (c.req.method === 'GET' ? openStream(c, sessions) : refuseMethod(c, 'GET, POST')));
  app.post('/messages', (c) => deliver(c, runtime, sessions, isDraining));
  app.all('/mcp', (c) => refuseMethod(c, 'POST'));
  app.all('/sse', (c) => refuseMethod(c, 'GET, POST'));
  app.all('/messages', (c) => refuseMethod(c, 'POST'));
  return app;
}

/** Clients and load balancers try again elsewhere. */
function refuseWhile(isDraining: () => boolean): MiddlewareHandler<HttpEnv> {
  return async function refuseWhileDraining(c, next) {
    return isDraining() ? refuseNewCall(c) : next();
  };
}

function refuseNewCall(c: Context<HttpEnv>): Response {
  c.header('Retry-After', '1');
  return httpError(c, 503, 'draining', 'The gateway is being stopped, and takes no new calls; nothing was sent.');
}

/**
 * Whether a GET of the MCP endpoint is for the stream of HTTP+SSE (specification 2024-11-05), whose clients know no
 * sessions in headers, and not for that of a Streamable HTTP session, of which there are none here.
 */
function asksForLegacyStream({ method, headers }: Request): boolean {
  const version = headers.get('mcp-protocol-version') ?? SSE_PROTOCOL_VERSION;
  const isLegacy = version === SSE_PROTOCOL_VERSION && !headers.has('mcp-session-id');
  return method === 'GET' && isLegacy && (headers.get('accept') ?? '').includes('text/event-stream');
}

async function openStream(c: Context<HttpEnv>, sessions: SseSessions): Promise<Response> {
  const opened = await sessions.open(c.get('principal').id);
  if (opened) return opened;
  c.header('Retry-After', '60');
  return httpError(c, 503, 'too_many_sessions', 'Too many streams are open; try again later.');
}

/** The inbox of a legacy stream: what a message leads to is sent to the stream. */
async function deliver(c: Context<HttpEnv>, runtime: Runtime, sessions: SseSessions, isDraining: () => boolean): Promise<Response> {
  const body = await readJsonRpcBody(c, runtime);
  if (body instanceof Response) return body;
  // Cancellations still have something to say.
  if (isDraining() && 'method' in body.message && 'id' in body.message) return refuseNewCall(c);
  const sessionId = c.req.query('sessionId') ?? '';
  switch (await sessions.deliver({ sessionId, message: body.message, exchange: exchangeOf(c) })) {
    case 'accepted':
      return c.text('Accepted', 202);
    case 'invalid':
      return jsonRpcError(c, -32600, 'Invalid request: the body must be a JSON-RPC message, with an id that is not in use.');
    case 'unknown':
      return httpError(c, 404, 'unknown_session', 'There is no such session (any more); open a new stream with GET /sse.');
  }
}

function exchangeOf(c: Context<HttpEnv>): Exchange {
  return { requestId: c.get('requestId'), principal: c.get('principal') };
}

function refuseMethod(c: Context<HttpEnv>, allowed: string): Response {
  c.header('Allow', allowed);
  return httpError(
    c,
    405,
    'method_not_allowed',
    `${c.req.method.slice(0, MAX_NAME_CHARACTERS)} is not for ${c.req.path}; allowed: ${allowed}.`,
  );
}

/** What is served while the configuration is wrong: every request is told which variables to correct, never a value. */
export function createMisconfiguredApp(problems: readonly ConfigProblem[], runtime: Runtime): Hono<HttpEnv> {
  const app = createBase(runtime);
  const sentence = `The gateway is not configured correctly. ${problems.map(({ variable, problem }) => `${variable} ${problem}`).join('; ')}. Its operator must set them (npx wrangler secret put NAME, or .dev.vars for wrangler dev).`;
  app.get(
    '/',
    home(ABOUT, () => ({ status: 'not_configured', problems })),
  );
  app.all('*', (c) => httpError(c, 503, 'not_configured', sentence));
  return app;
}

function createBase(runtime: Runtime): Hono<HttpEnv> {
  const { log, now, randomUUID } = runtime;
  const app = new Hono<HttpEnv>();
  app.use(requestLog({ now, randomUUID, log: (entry) => log.info('request', entry) }));
  app.get('/health', (c) => c.json({ status: 'ok', version: VERSION }));
  app.notFound((c) =>
    httpError(c, 404, 'not_found', `There is nothing at ${c.req.path.slice(0, MAX_PATH_CHARACTERS)}; the MCP endpoint is POST /mcp.`),
  );
  app.onError((error, c) => {
    // A client that breaks off its request is no fault of ours, and does not read the answer.
    if (c.req.raw.signal.aborted) return c.body(null, 400);
    log.error('request_failed', { request_id: c.get('requestId'), error: error.stack });
    return httpError(c, 500, 'internal_error', 'Internal error.');
  });
  return app;
}
