import { createHash, createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, expect, inject, test } from 'vitest';
import { createTestApp, s3Environment, testRuntime } from '../support.ts';

const TOKEN = 'session/token+of=temporary//credentials+of+the+tests==';
const ALGORITHM = 'AWS4-HMAC-SHA256';

/** Signature Version 4 as AWS describes it, of what has arrived: in a header, or in the query of a presigned URL. */
function isSigned({ method, url = '', headers }: IncomingMessage, secret: string): boolean {
  const { pathname, search } = new URL(url, 'http://localhost');
  const query = new URLSearchParams(search);
  const fields = new Map(
    (headers.authorization ?? '')
      .slice(ALGORITHM.length)
      .split(', ')
      .map((field) => field.trim().split('=', 2) as [string, string]),
  );
  const fieldOf = (name: string) => fields.get(name) ?? query.get(`X-Amz-${name}`) ?? '';
  const signed = fieldOf('SignedHeaders');
  const scope = fieldOf('Credential').split('/').slice(1);
  const rest = search
    .slice(1)
    .split('&')
    .filter((pair) => pair !== '' && !pair.startsWith('X-Amz-Signature='));
  const lines = signed.split(';').map((name) => `${name}:${headers[name] ?? ''}\n`);
  const hash = headers['x-amz-content-sha256'] ?? 'UNSIGNED-PAYLOAD';
  const canonical = [method, pathname, rest.sort().join('&'), lines.join(''), signed, hash].join('\n');
  const digest = createHash('sha256').update(canonical).digest('hex');
  const date = headers['x-amz-date'] ?? query.get('X-Amz-Date');
  const key = scope.reduce<string | Buffer>((parent, part) => createHmac('sha256', parent).update(part).digest(), `AWS4${secret}`);
  const expected = createHmac('sha256', key)
    .update([ALGORITHM, date, scope.join('/'), digest].join('\n'))
    .digest('hex');
  const isTokenSigned = signed.split(';').includes('x-amz-security-token')
    ? headers['x-amz-security-token'] === TOKEN
    : query.get('X-Amz-Security-Token') === TOKEN;
  return isTokenSigned && fieldOf('Signature') === expected;
}

const { secretAccessKey } = inject('s3');
const objects = new Map<string, Buffer>();

/** An S3 that knows the credentials only with their token, and keeps what is put into it. */
const server = createServer(async (request, response) => {
  const body = Buffer.concat(await request.toArray());
  const { pathname } = new URL(request.url ?? '', 'http://localhost');
  const found = objects.get(pathname);
  if (!isSigned(request, secretAccessKey)) return response.writeHead(403).end('<Error><Code>InvalidToken</Code></Error>');
  if (request.method !== 'PUT')
    return found ? response.writeHead(200, { etag: '"1"', 'content-length': found.length }).end(found) : response.writeHead(404).end();
  if (request.headers['if-match'] && !found) return response.writeHead(412).end();
  objects.set(pathname, body);
  return response.writeHead(200, { etag: '"1"' }).end();
}).listen(0, '127.0.0.1');
await once(server, 'listening');
afterAll(() => server.close());

const env = (overrides = {}) =>
  s3Environment({ S3_ENDPOINT: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, S3_SESSION_TOKEN: TOKEN, ...overrides });

test('with temporary credentials, requests and links are signed with their token, which the log does not have', async () => {
  const app = createTestApp(env(), testRuntime({}, 1));
  const { structuredContent } = await app.call('generate_image', { prompt: 'a lamp', size: '64x64' });
  const [{ url, bytes, warning }] = structuredContent.images;
  expect(new URL(url).searchParams.get('X-Amz-Security-Token')).toBe(TOKEN);
  expect((await (await fetch(url)).arrayBuffer()).byteLength).toBe(bytes);
  expect(warning).toBeUndefined();
  expect((await fetch(url.replace('of%3Dtemporary', 'of%3Dpermanent'))).status).toBe(403);
  app.gateway.runtime.log.warn('storage', { url, token: TOKEN });
  expect(app.logged.join('\n')).not.toMatch(/session\/token|session%2Ftoken/i);
});

test('without it, nothing is billed', async () => {
  const app = createTestApp(env({ S3_SESSION_TOKEN: '' }), testRuntime({}, 1));
  const { content } = await app.call('generate_image', { prompt: 'a lamp' });
  expect(content[0]?.text).toMatch(/Nothing was sent or billed.*S3_SESSION_TOKEN/);
});
