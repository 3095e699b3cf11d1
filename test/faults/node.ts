/** The gateways of the matrix on Node; it starts as the product does, and says where it listens in the same words. */
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { createLog } from '../../src/log.ts';
import { createRedactor } from '../../src/redact.ts';
import { createNodeRuntime } from '../../src/runtime/node.ts';
import { createFaultsHandler } from './fault-app.ts';

const log = createLog('info', { write: (line) => process.stdout.write(`${line}\n`), redact: createRedactor([]), now: Date.now });
const server = createAdaptorServer({ fetch: createFaultsHandler(createNodeRuntime) });
server.listen(Number(process.env.PORT), process.env.HOST, () => log.info('listening', { port: (server.address() as AddressInfo).port }));
