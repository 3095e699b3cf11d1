import { type Context, Hono, type MiddlewareHandler } from 'hono';
import { verifyKey } from './auth/keys.ts';
import type { ConfigProblem } from './config.ts';
import { createEventLog } from './event-log.ts';
import { createEvents, type Events, traceparentOf } from './events.ts';
import { ABOUT, type Gateway, VERSION } from './gateway.ts';
import { home } from './home/home.ts';
import { usagePage } from './home/usage-page.ts';
import { admit } from './http/admit.ts';
import { authenticate, rejectOAuth } from './http/authenticate.ts';
import { type HttpEnv, httpError, jsonRpcError } from './http/errors.ts';
import { host } from './http/host.ts';
import { readJsonRpcBody } from './http/json-body.ts';
import { serveMedia } from './http/media.ts';
import { metrics } from './http/metrics.ts';
import { origin } from './http/origin.ts';
import { atPace, type PaceOptions } from './http/pace.ts';
import { createPublicUrlOf, type PublicUrlOf } from './http/public-url.ts';
import { loggedPath, requestLog } from './http/request-log.ts';
import { createSignIn, serveResourceMetadata } from './http/sign-in.ts';
import { receiveUpload, UPLOADS_PATH } from './http/uploads.ts';
import { usage } from './http/usage.ts';
import { MAX_NAME_CHARACTERS } from './limits.ts';
import { versionOf } from './mcp/call-span.ts';
import type { ForwardCall } from './mcp/durable-calls.ts';
import type { Exchange } from './mcp/exchange.ts';
import { SSE_PROTOCOL_VERSION } from './mcp/sse-session.ts';
import type { SseSessions } from './mcp/sse-sessions.ts';
import type { Runtime } from './ports.ts';

export type AppOptions = Readonly<{
  sessions: SseSessions;
  /** Has calls that concern a job handled where its work can outlive the client; by default, they are handled here. */
  forwardCall?: ForwardCall | undefined;
  /** While true, `/ready` returns 503 and new calls are rejected. */
  isDraining?: () => boolean;
}>;

/** The middleware and routes, in order. */
export function createApp(gateway: Gateway, { sessions, forwardCall, isDraining = () => false }: AppOptions): Hono<HttpEnv> {
  const { server, runtime, events, load, verifyToken, signIn, pace, streamableHttp, callsInFlight, placeOf, receiveFile, served } = gateway;
  const app = createBase(runtime, events);
  const publicUrlOf = createPublicUrlOf(server.publicUrl);
  const exchangeOf = createExchangeOf(publicUrlOf, runtime);
  app.get('/ready', (c) => (isDraining() ? c.json({ status: 'draining' }, 503) : c.json({ status: 'ready' })));
  // Before the check of the host, as whatever scrapes it names an address, and has a key of its own.
  const verifyMetricsKey = server.metricsKey === undefined ? undefined : verifyKey(server.metricsKey, runtime);
  const refuse = (requestId: string, reason: string) => events.emit({ type: 'refusal', kind: 'bearer', requestId, reason });
  app.get(
    '/metrics',
    metrics({ verify: verifyMetricsKey, scrape: runtime.scrape, load, onRefused: (requestId) => refuse(requestId, 'metrics') }),
  );
  const checkHost = host(server.allowedHosts, server.host);
  app.get(
    '/',
    checkHost,
    home(ABOUT, publicUrlOf, () => ({ status: isDraining() ? 'draining' : 'ready' })),
  );

  const signInOptions = signIn && { ...signIn, publicUrlOf, title: ABOUT.title };
  app.use(checkHost);
  if (signInOptions) serveResourceMetadata(app, signInOptions);
  // Before the check of the origin: any page may show it.
  if (served) serveMedia(app, served, runtime.log);
  app.use(origin(server.allowedOrigins));
  if (!signInOptions) rejectOAuth(app);
  // Before the first await, so that a request that arrived before the shutdown is served, however slowly it is sent.
  app.use('/mcp', rejectWhile(isDraining)).use('/sse', rejectWhile(isDraining)).use(`${UPLOADS_PATH}*`, rejectWhile(isDraining));
  // Likewise, so that a flood of calls uses no memory.
  app.use(admit(runtime.maxCalls, callsInFlight));
  // The token in the path is the authentication.
  app.put(`${UPLOADS_PATH}:token`, receiveUpload(receiveFile));
  app.all(`${UPLOADS_PATH}*`, (c) => methodNotAllowed(c, 'PUT'));
  const verifyAdminKey = server.adminKey === undefined ? undefined : verifyKey(server.adminKey, runtime);
  const { ofAll, ofPrincipal } = usage({ ...gateway, verify: verifyAdminKey });
  app.get('/usage', usagePage(ABOUT), ofAll);
  app.all('/usage', (c, next) => (/^(GET|HEAD)$/.test(c.req.method) ? next() : methodNotAllowed(c, 'GET')));
  app.use(authenticate(verifyToken, refuse, signInOptions && createSignIn(signInOptions)));

  app.get('/usage', ofPrincipal);
  const paceOptions: PaceOptions = {
    pace,
    onRefused: (requestId) => events.emit({ type: 'refusal', kind: 'rate', requestId, reason: 'calls_per_minute' }),
  };
  const handlePost = async (c: Context<HttpEnv>) => {
    const body = await readJsonRpcBody(c, runtime);
    if (body instanceof Response) return body;
    const { message } = body;
    const exchange = exchangeOf(c);
    return atPace(c, paceOptions, message, async () => {
      const place = forwardCall && (await placeOf(message, exchange.principal));
      if (forwardCall && place !== undefined) return forwardCall(place, c.req.raw, message, exchange);
      return streamableHttp(c.req.raw, message, exchange);
    });
  };
  // Some clients first POST to the URL of a legacy stream, and open the stream only when that fails.
  app.post('/mcp', handlePost).get((c) => (isLegacyStreamRequest(c.req.raw) ? openStream(c, sessions) : methodNotAllowed(c, 'POST')));
  app.post('/sse', handlePost).get((c) => (c.req.method === 'GET' ? openStream(c, sessions) : methodNotAllowed(c, 'GET, POST')));
  app.post('/messages', (c) => deliver(c, { runtime, sessions, isDraining, paceOptions }, exchangeOf(c)));
  app.all('/mcp', (c) => methodNotAllowed(c, 'POST'));
  app.all('/sse', (c) => methodNotAllowed(c, 'GET, POST'));
  app.all('/messages', (c) => methodNotAllowed(c, 'POST'));
  return app;
}

/** Lets clients and load balancers retry on another instance. */
function rejectWhile(isDraining: () => boolean): MiddlewareHandler<HttpEnv> {
  return async function rejectWhileDraining(c, next) {
    return isDraining() ? rejectNewCall(c) : next();
  };
}

function rejectNewCall(c: Context<HttpEnv>): Response {
  c.header('Retry-After', '1');
  return httpError(c, 503, 'draining', 'The gateway is shutting down; the call was not forwarded.');
}

/**
 * Whether a GET of the MCP endpoint opens an HTTP+SSE stream (specification 2024-11-05), whose clients send no session
 * header, rather than the stream of a Streamable HTTP session, which this server does not offer.
 */
function isLegacyStreamRequest({ method, headers }: Request): boolean {
  const version = headers.get('mcp-protocol-version') ?? SSE_PROTOCOL_VERSION;
  const isLegacy = version === SSE_PROTOCOL_VERSION && !headers.has('mcp-session-id');
  return method === 'GET' && isLegacy && (headers.get('accept') ?? '').includes('text/event-stream');
}

async function openStream(c: Context<HttpEnv>, sessions: SseSessions): Promise<Response> {
  const opened = await sessions.open(c.get('principal').id);
  if (opened) return opened;
  c.header('Retry-After', '60');
  return httpError(c, 503, 'too_many_sessions', 'Too many open streams; retry later.');
}

type Inbox = Required<Pick<AppOptions, 'sessions' | 'isDraining'>> & Readonly<{ runtime: Runtime; paceOptions: PaceOptions }>;

/** Accepts messages for a legacy stream; responses go to the stream. */
async function deliver(c: Context<HttpEnv>, { runtime, sessions, isDraining, paceOptions }: Inbox, exchange: Exchange): Promise<Response> {
  const body = await readJsonRpcBody(c, runtime);
  if (body instanceof Response) return body;
  const { message } = body;
  // Notifications such as cancellations still get through.
  if (isDraining() && 'method' in message && 'id' in message) return rejectNewCall(c);
  const sessionId = c.req.query('sessionId') ?? '';
  return atPace(c, paceOptions, message, async () => {
    switch (await sessions.deliver({ sessionId, message, exchange })) {
      case 'accepted':
        return c.text('Accepted', 202);
      case 'invalid':
        return jsonRpcError(c, -32600, 'Invalid request: the body must be a JSON-RPC message whose id is not in use.');
      case 'unknown':
        return httpError(c, 404, 'unknown_session', 'Session not found or expired; open a new stream with GET /sse.');
    }
  });
}

function createExchangeOf(publicUrlOf: PublicUrlOf, { tracing }: Runtime): (c: Context<HttpEnv>) => Exchange {
  return (c) => ({
    requestId: c.get('requestId'),
    principal: c.get('principal'),
    publicUrl: publicUrlOf(c),
    ...(tracing?.isTraced() && {
      trace: { parent: traceparentOf(c.req.header('traceparent')), protocolVersion: versionOf(c.req.header('mcp-protocol-version')) },
    }),
  });
}

function methodNotAllowed(c: Context<HttpEnv>, allowed: string): Response {
  c.header('Allow', allowed);
  return httpError(
    c,
    405,
    'method_not_allowed',
    `${c.req.method.slice(0, MAX_NAME_CHARACTERS)} is not allowed on ${loggedPath(c.req.path)}; allowed: ${allowed}.`,
  );
}

/** Serves while misconfigured: every request fails with the variables to correct, never their values. */
export function createMisconfiguredApp(problems: readonly ConfigProblem[], runtime: Runtime): Hono<HttpEnv> {
  const app = createBase(runtime, createEvents(createEventLog(runtime), runtime));
  const sentence = `The gateway is not configured correctly. ${problems.map(({ variable, problem }) => `${variable} ${problem}`).join('; ')}. Its operator must set them (npx wrangler secret put NAME, or .dev.vars for wrangler dev).`;
  app.get(
    '/',
    home(ABOUT, createPublicUrlOf(), () => ({ status: 'not_configured', problems })),
  );
  app.all('*', (c) => httpError(c, 503, 'not_configured', sentence));
  return app;
}

function createBase({ log, now, randomUUID }: Runtime, { emit }: Events): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>();
  app.use(requestLog({ now, randomUUID, emit }));
  app.get('/health', (c) => c.json({ status: 'ok', version: VERSION }));
  app.notFound((c) => httpError(c, 404, 'not_found', `No route for ${loggedPath(c.req.path)}; the MCP endpoint is POST /mcp.`));
  app.onError((error, c) => {
    // A client that aborts its request is not a server error, and does not read the response.
    if (c.req.raw.signal.aborted) return c.body(null, 400);
    log.error('request_failed', { request_id: c.get('requestId'), error: error.stack });
    return httpError(c, 500, 'internal_error', 'Internal error.');
  });
  return app;
}
