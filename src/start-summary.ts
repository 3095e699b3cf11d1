import type { ConfigProblem } from './config.ts';
import { ABOUT, type Feature } from './gateway.ts';
import { urlOfAddress } from './own-url.ts';

/** The addresses to which the name `localhost` leads. */
const LOCAL = new Set(['127.0.0.1', '::1', '0.0.0.0', '::']);
const TITLE = `${ABOUT.title} ${ABOUT.version}`;

export type StartSummary = Readonly<{
  host: string;
  port: number;
  features: readonly Feature[];
  warnings: readonly ConfigProblem[];
  /** How a client connects to this MCP endpoint. */
  connection?: (origin: string) => string;
}>;

/** What the Node server prints to a terminal once it accepts connections; elsewhere, the log says the same as JSON. */
export function startSummary({ host, port, features, warnings, connection }: StartSummary): string {
  const origin = originOf({ host, port });
  const rows = [
    ['page', origin],
    ['MCP', `${origin}/mcp`],
    ...features.map(({ name, isAvailable, detail }) => [name, isAvailable ? detail : `not available: ${detail}`]),
  ];
  const width = Math.max(...rows.map(([name = '']) => name.length));
  const lines = rows.map(([name = '', text = '']) => `  ${name.padEnd(width)} ${text}`);
  const notes = warnings.map(({ variable, problem }) => `  Warning: ${variable} ${problem}.`.replace(/([?.])\.$/, '$1'));
  const end = 'The log follows. Ctrl+C stops the gateway.';
  const blocks = [[TITLE], lines, notes, connection ? [connection(origin)] : [], [end]].filter(({ length }) => length > 0);
  return `${blocks.map((block) => block.join('\n')).join('\n\n')}\n`;
}

/** How this machine's clients reach an address. */
export function originOf({ host, port }: Pick<StartSummary, 'host' | 'port'>): string {
  return urlOfAddress({ host: LOCAL.has(host) ? 'localhost' : host, port });
}
