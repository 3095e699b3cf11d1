import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadConfig } from './config.ts';
import { logStart, VERSION } from './gateway.ts';
import { clientSnippets, KEY_PLACEHOLDER } from './home/snippets.ts';
import { type ClientKey, rememberedKey } from './node-client-key.ts';
import { prepareGateway } from './node-gateway.ts';
import { exitWithError, exitWithProblems, serveHttp, serveHttpIfFree } from './node-server.ts';
import { serveOverStdio } from './node-stdio.ts';
import { originOf, startSummary } from './start-summary.ts';

const HELP = `Usage: OPENAI_API_KEY=… openai-mcp-gateway [options]

Serves OpenAI's chat, images, speech and video to MCP clients on this machine.

  --port PORT  the port (default: 8000, or PORT)
  --host HOST  the address (default: 127.0.0.1, or HOST)
  --stdio      serve the program that starts this one, over stdin and stdout; with --port, a port as well
  --version    print the version
  --help       print this

Everything else is set by environment variables, which docs/configuration.md lists.
`;

/** Any of these admits clients; without one, the command makes a key. */
const CREDENTIALS = ['MCP_SERVER_API_KEY', 'MCP_SERVER_API_KEYS', 'MCP_OAUTH_ISSUER'] as const;

/** Runs the command with the arguments and the environment of this process. */
export async function run(): Promise<void> {
  // Whoever reads the output may have gone.
  process.stdout.on('error', () => {});
  const options = readOptions(process.argv.slice(2));
  if (options.help) return void process.stdout.write(HELP);
  if (options.version) return void process.stdout.write(`${VERSION}\n`);
  if (options.stdio && options.host !== undefined && options.port === undefined) exitWithError('--host needs --port with --stdio.');
  const isServed = !options.stdio || options.port !== undefined;
  const hasCredential = CREDENTIALS.some((variable) => process.env[variable]?.trim());
  const made = hasCredential ? undefined : rememberedKey(process.env);
  const env = {
    ...process.env,
    ...(made && { MCP_SERVER_API_KEY: made.key }),
    HOST: options.host ?? (process.env.HOST?.trim() || '127.0.0.1'),
    // Desktop clients start programs in any folder.
    MEDIA_DIR: process.env.MEDIA_DIR?.trim() || join(homedir(), 'openai-mcp-gateway'),
    ...(options.port !== undefined && { PORT: options.port }),
  };
  const loaded = loadConfig(env, { rejectWeakKey: isServed, ownStore: 'file' });
  if (!loaded.ok) exitWithProblems(loaded, 'in the environment');
  const { config, warnings } = loaded;
  // The output is for messages, or for what a person reads.
  const prepared = await prepareGateway(config, process.stderr);
  const { server } = config;
  // Clients start one process a window, of which one gets the port.
  const serve = options.stdio ? serveHttpIfFree : serveHttp;
  const served = isServed ? await serve(prepared, server) : undefined;
  const started = served ?? { ...prepared.open({ ...server, isServed: false }), at: undefined };
  const { at, log, gateway } = started;
  const { features } = gateway;
  if (options.stdio) {
    logStart(features, warnings, log);
    if (at) log.info('listening', at);
    else if (isServed) log.warn('port_in_use', { port: server.port });
    serveOverStdio(started, config, () => server.publicUrl ?? (at && originOf(at)));
  } else if (at) process.stdout.write(startSummary({ ...at, features, warnings, connection: (origin) => connection(origin, made) }));
}

function readOptions(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        port: { type: 'string' },
        host: { type: 'string' },
        stdio: { type: 'boolean' },
        version: { type: 'boolean' },
        help: { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    const [problem] = (error as Error).message.split(/\.(?:\s|$)/);
    exitWithError(`${problem}; the options are --port, --host, --stdio, --version and --help.`);
  }
}

/** The settings of a client, with the key only where it is new to the user. */
function connection(origin: string, made: ClientKey | undefined): string {
  const settings = clientSnippets(origin).find(({ client }) => client === 'Other clients')?.text ?? '';
  const kept = made?.isKept ? `from ${made.path}` : `for this run, as ${made?.path} cannot be used: delete it, or make it writable`;
  return [
    ...(made ? [`The key of your clients (${kept}):`, `  ${made.key}`, ''] : []),
    `In mcp.json; for other clients, see ${origin}`,
    made ? settings.replaceAll(KEY_PLACEHOLDER, made.key) : settings,
  ].join('\n');
}
