import { type Context, Hono } from 'hono';
import type { ConfigProblem } from './config.ts';
import { type Gateway, type Runtime, VERSION } from './gateway.ts';
import { bearer } from './http/bearer.ts';
import { type HttpEnv, httpError } from './http/errors.ts';
import { host } from './http/host.ts';
import { readJsonRpcBody } from './http/json-body.ts';
import { origin } from './http/origin.ts';
import { requestLog } from './http/request-log.ts';

/** The routes and the middleware, in order. While `isDraining()`, `/ready` asks for no more traffic. */
export function createApp({ server, runtime, mcp }: Gateway, isDraining = () => false): Hono<HttpEnv> {
  const app = createBase(runtime);
  app.get('/ready', (c) => (isDraining() ? c.json({ status: 'draining' }, 503) : c.json({ status: 'ready' })));

  app.use(host(server.allowedHosts, server.host), origin(server.allowedOrigins), bearer(server.apiKey));
  app.post('/mcp', async (c) => {
    const body = await readJsonRpcBody(c);
    return body instanceof Response ? body : mcp(c.req.raw, body.message, { requestId: c.get('requestId'), waitUntil: waitUntilOf(c) });
  });
  app.all('/mcp', (c) => {
    c.header('Allow', 'POST');
    return httpError(c, 405, 'method_not_allowed', 'This MCP endpoint is stateless: send POST requests.');
  });
  return app;
}

/** What is served while the configuration is wrong: every request is told which variables to correct, never a value. */
export function createMisconfiguredApp(problems: readonly ConfigProblem[], runtime: Runtime): Hono<HttpEnv> {
  const app = createBase(runtime);
  const sentence = `The gateway is not configured correctly. ${problems.map(({ variable, problem }) => `${variable} ${problem}`).join('; ')}.`;
  app.all('*', (c) => httpError(c, 503, 'not_configured', sentence));
  return app;
}

function createBase(runtime: Runtime): Hono<HttpEnv> {
  const { log, now, randomUUID } = runtime;
  const app = new Hono<HttpEnv>();
  app.use(requestLog({ now, randomUUID, log: (entry) => log.info('request', entry) }));
  app.get('/health', (c) => c.json({ status: 'ok', version: VERSION }));
  app.notFound((c) => httpError(c, 404, 'not_found', `There is nothing at ${c.req.path}; the MCP endpoint is POST /mcp.`));
  app.onError((error, c) => {
    // A client that breaks off its request is no fault of ours, and does not read the answer.
    if (c.req.raw.signal.aborted) return c.body(null, 400);
    log.error('request_failed', { request_id: c.get('requestId'), error: error.stack });
    return httpError(c, 500, 'internal_error', 'Internal error.');
  });
  return app;
}

/** On Workers, what keeps a request's work alive after its client has gone; Node needs nothing of the kind. */
function waitUntilOf(c: Context<HttpEnv>): (work: Promise<unknown>) => void {
  try {
    const { executionCtx } = c;
    return (work) => executionCtx.waitUntil(work);
  } catch {
    return () => {};
  }
}
