import { StdioServerTransport, serveStdio } from '@modelcontextprotocol/server/stdio';
import type { Config } from './config.ts';
import { MAX_REQUEST_BYTES } from './limits.ts';
import { ofOnePrincipal } from './mcp/stdio-server.ts';
import type { NodeGateway } from './node-gateway.ts';

/**
 * Serves the one client that has started this process, over stdin and stdout (specification, basic/transports). When it
 * closes stdin or goes away, the process ends once what is billed has been stored.
 */
export function serveOverStdio(started: NodeGateway, { clients }: Config, publicUrl: () => string | undefined): void {
  const { gateway, log, isDraining, drain, serving } = started;
  const { runtime, pace } = gateway;
  const refusal = () => {
    if (isDraining()) return 'The gateway is shutting down; the call was not forwarded.';
    return gateway.callsInFlight() < runtime.maxCalls ? undefined : 'The gateway is busy; the call was not forwarded. Retry in 5 s.';
  };
  const principal = { id: 'local', name: 'local', limits: clients.defaults };
  const options = { principal, publicUrl, randomUUID: runtime.randomUUID, pace, refusal };
  // Every result waits for those before it to be read.
  process.stdout.setMaxListeners(0);
  let reason = 'stdin_closed';
  const transport = new StdioServerTransport(process.stdin, process.stdout, { maxBufferSize: MAX_REQUEST_BYTES });
  const connection = serveStdio(() => ofOnePrincipal(gateway.createServer(), options), {
    transport,
    onerror({ message }) {
      if (message.startsWith('ReadBuffer exceeded')) reason = 'message_too_long';
      log.debug('mcp_error', { message });
    },
  });
  serving({ openResponses: () => Number(process.stdout.writableLength > 0), closeStreams: () => void connection.close() });
  const { onclose } = transport;
  transport.onclose = () => {
    onclose?.();
    drain({ reason });
  };
}
