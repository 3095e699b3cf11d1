import type { JSONWebKeySet } from 'jose';
import * as z from 'zod';
import { ISSUER_TIMEOUT_MS, MAX_ISSUER_DOCUMENT_BYTES } from '../limits.ts';
import { parseJson } from '../parse-json.ts';
import type { Runtime } from '../ports.ts';
import { readBody } from '../streams/body.ts';
import { withTimeLimit } from '../streams/time-limit.ts';
import { trimEndSlashes } from '../trim-slashes.ts';

type Fetching = Pick<Runtime, 'fetch' | 'now' | 'sleep' | 'timeLimit'>;
type Source = Readonly<{ issuer: string; jwksUrl: string | undefined }>;

const metadataSchema = z.object({ issuer: z.string(), jwks_uri: z.url({ protocol: /^https?$/ }) });
const keySchema = z.looseObject({ kty: z.string() });
/** What is not understood is ignored (RFC 7517 section 5). */
const keySetSchema = z.object({
  keys: z.array(z.unknown()).transform((keys) => keys.flatMap((key) => keySchema.safeParse(key).data ?? [])),
});

/** The issuer's public keys (RFC 7517 section 5), from the configured URL or from the one in its metadata. Throws when there are none. */
export function fetchKeys({ issuer, jwksUrl }: Source, runtime: Fetching): Promise<JSONWebKeySet> {
  return withTimeLimit(runtime, ISSUER_TIMEOUT_MS, async (signal) => {
    const url = jwksUrl ?? (await discoverKeysUrl(issuer, runtime, signal));
    return fetchJson(url, keySetSchema, runtime, signal);
  });
}

async function discoverKeysUrl(issuer: string, runtime: Fetching, signal: AbortSignal): Promise<string> {
  const problems: unknown[] = [];
  for (const url of metadataUrls(issuer)) {
    try {
      const metadata = await fetchJson(url, metadataSchema, runtime, signal);
      const problem = problemOf(metadata, issuer);
      if (problem === undefined) return metadata.jwks_uri;
      problems.push(new Error(`${url} ${problem}`));
    } catch (problem) {
      problems.push(problem);
    }
  }
  throw new AggregateError(problems, problems.map((problem) => (problem instanceof Error ? problem.message : 'failed')).join('; '));
}

/** Whoever can change the keys on their way can make every token valid; an issuer without TLS is on loopback. */
function problemOf(metadata: z.output<typeof metadataSchema>, issuer: string): string | undefined {
  if (trimEndSlashes(metadata.issuer) !== trimEndSlashes(issuer)) return 'is the metadata of another issuer';
  const isPlain = new URL(metadata.jwks_uri).protocol === 'http:' && new URL(issuer).protocol === 'https:';
  return isPlain ? 'names keys without TLS; MCP_OAUTH_JWKS_URL can name others' : undefined;
}

/** RFC 8414 section 3.1, the same for OpenID providers (section 5), and OpenID Connect Discovery 1.0 section 4. */
function metadataUrls(issuer: string): string[] {
  const { origin, pathname } = new URL(issuer);
  const path = trimEndSlashes(pathname);
  const inserted = ['oauth-authorization-server', 'openid-configuration'].map((name) => `${origin}/.well-known/${name}${path}`);
  return [...new Set([...inserted, `${origin}${path}/.well-known/openid-configuration`])];
}

async function fetchJson<Schema extends z.ZodType>(
  url: string,
  schema: Schema,
  runtime: Fetching,
  signal: AbortSignal,
): Promise<z.output<Schema>> {
  const response = await runtime.fetch(url, { signal, redirect: 'manual', headers: { accept: 'application/json' } }).catch((cause) => {
    throw new Error(`${url} cannot be reached`, { cause });
  });
  if (response.status !== 200) {
    response.body?.cancel().catch(() => {});
    throw new Error(`${url} returned ${response.status}`);
  }
  const limits = { clock: runtime, maxBytes: MAX_ISSUER_DOCUMENT_BYTES, timeoutMs: ISSUER_TIMEOUT_MS, minBytesPerMinute: 0 };
  const body = await readBody(response, { ...limits, toError: (problem) => new Error(`${url}: ${problem}`) });
  const parsed = schema.safeParse(parseJson(new TextDecoder().decode(body)));
  if (!parsed.success) throw new Error(`${url} is not the expected document`);
  return parsed.data;
}
