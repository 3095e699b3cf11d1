import type { FuzzRequest } from './requests.ts';

/** Parts of the secrets that the gateway is given; none of them may ever be seen. */
const SECRETS = {
  clientKey: 'canary-of-the-client-key',
  upstreamKey: 'sk-canary-of-the-upstream-key',
  accountKey: btoa('canary-of-the-account-key'),
};
/** Beyond what was sent, which may be quoted. */
const MAX_RESPONSE_CHARACTERS = 64 * 1024;

export const CLIENT_KEY = SECRETS.clientKey;

/** The environment of a gateway whose upstream and storage are at this origin. */
export function fuzzEnvironment(origin: string): Record<string, string> {
  return {
    MCP_SERVER_API_KEY: SECRETS.clientKey,
    OPENAI_API_KEY: SECRETS.upstreamKey,
    OPENAI_BASE_URL: `${origin}/v1`,
    AZURE_STORAGE_CONNECTION_STRING: `DefaultEndpointsProtocol=http;AccountName=fuzz;AccountKey=${SECRETS.accountKey};BlobEndpoint=${origin}/storage;`,
    AZURE_BLOB_CONTAINER: 'media',
    AZURE_BLOB_PUBLIC_BASE_URL: `${origin}/storage/media`,
  };
}

/** What must never happen, whatever was sent; empty when nothing did. */
export function problemsOf(request: FuzzRequest, status: number, text: string): string[] {
  const sent = request.body.length + JSON.stringify(request.headers).length + request.path.length;
  return [
    ...(status >= 500 ? [`status ${status}`] : []),
    ...(/Internal error/i.test(text) ? ['"Internal error"'] : []),
    ...(text.length > MAX_RESPONSE_CHARACTERS + sent ? [`a response of more than ${MAX_RESPONSE_CHARACTERS} characters`] : []),
    ...secretsIn(text).map((name) => `the ${name} in the response`),
  ];
}

/** The names of the secrets in a text: a response, or a line of the log. */
export function secretsIn(text: string): string[] {
  return Object.entries(SECRETS).flatMap(([name, secret]) => (text.includes(secret) ? [name] : []));
}
