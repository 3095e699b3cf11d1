import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

/** The key of this machine's clients, and where it is remembered unless that cannot be (`isKept`). */
export type ClientKey = Readonly<{ key: string; path: string; isKept: boolean }>;

const KEY_BYTES = 32;
const KEY = /^[0-9a-f]{64}$/;

/**
 * The key that was generated when the command first ran, so that the settings of clients stay valid. Only the user of
 * this machine can read the file. Where it cannot be kept, the key is for this run alone.
 */
export function rememberedKey(env: NodeJS.ProcessEnv): ClientKey {
  const path = join(configFolder(env), 'client-key');
  const known = readKey(path);
  if (known !== undefined) return { key: known, path, isKept: true };
  const key = randomBytes(KEY_BYTES).toString('hex');
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(path, `${key}\n`, { mode: 0o600, flag: 'wx' });
    return { key, path, isKept: true };
  } catch {
    // Another process may have been first.
    const first = readKey(path);
    return { key: first ?? key, path, isKept: first !== undefined };
  }
}

function readKey(path: string): string | undefined {
  try {
    const key = readFileSync(path, 'utf8').trim();
    return KEY.test(key) ? key : undefined;
  } catch {
    return undefined;
  }
}

/** Where each platform keeps the settings of a user's programs. */
function configFolder({ XDG_CONFIG_HOME, APPDATA }: NodeJS.ProcessEnv): string {
  const base = (process.platform === 'win32' ? APPDATA : XDG_CONFIG_HOME) || join(homedir(), '.config');
  return join(base, 'openai-mcp-gateway');
}
