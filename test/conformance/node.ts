/** The fixtures on Node; it starts as the product does, and says where it listens in the same words. */
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { assemble } from '../../src/gateway.ts';
import { createLog } from '../../src/log.ts';
import { createMemorySessions } from '../../src/mcp/sse-sessions.ts';
import { createRedactor } from '../../src/redact.ts';
import { createNodeRuntime } from '../../src/runtime/node.ts';
import { createFixtureApp, createFixtures } from './fixture-app.ts';

const log = createLog('info', { write: (line) => process.stdout.write(`${line}\n`), redact: createRedactor([]), now: Date.now });
const runtime = createNodeRuntime(log);
const fixtures = createFixtures(process.env, runtime);
const gateway = assemble(fixtures.parts, runtime);
const app = createFixtureApp(gateway, fixtures, { sessions: createMemorySessions(gateway.openSseSession, runtime.randomUUID) });
const server = createAdaptorServer({ fetch: app.fetch });
server.listen(Number(process.env.PORT), process.env.HOST, () => log.info('listening', { port: (server.address() as AddressInfo).port }));
