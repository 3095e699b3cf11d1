import type { ConfigProblem } from './config.ts';
import type { Feature } from './gateway.ts';
import { isLoopbackName } from './loopback.ts';

export type StartSummary = Readonly<{
  title: string;
  host: string;
  port: number;
  features: readonly Feature[];
  warnings: readonly ConfigProblem[];
}>;

/** What the Node server prints to a terminal once it accepts connections; elsewhere, the log says the same as JSON. */
export function startSummary({ title, host, port, features, warnings }: StartSummary): string {
  const origin = `http://${isAnyAddress(host) || isLoopbackName(host) ? 'localhost' : bracketed(host)}:${port}`;
  const rows = [
    ['page', origin],
    ['MCP', `${origin}/mcp`],
    ...features.map(({ name, isAvailable, detail }) => [name, isAvailable ? detail : `not available: ${detail}`]),
  ];
  const lines = rows.map(([name = '', text = '']) => `  ${name.padEnd(8)} ${text}`);
  const notes = warnings.map(({ variable, problem }) => `  Warning: ${variable} ${problem}.`.replace(/([?.])\.$/, '$1'));
  return [title, '', ...lines, ...(notes.length > 0 ? ['', ...notes] : []), '', 'The log follows. Ctrl+C stops the gateway.', ''].join(
    '\n',
  );
}

function isAnyAddress(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
