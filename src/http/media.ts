import type { Context, Hono } from 'hono';
import { GatewayError } from '../errors.ts';
import type { Log } from '../log.ts';
import { MEDIA_PATH } from '../media-path.ts';
import { byteRange } from './byte-range.ts';
import { type HttpEnv, httpError } from './errors.ts';

type Found = Readonly<{ bytes: number; contentType: string; etag: string }>;

/** The media that is served; `undefined` for whatever is none. */
type Media = Readonly<{
  find: (name: string) => Promise<Found | undefined>;
  stream: (name: string, etag: string, start: number, bytes: number) => Promise<ReadableStream<Uint8Array>>;
}>;

/** Names never mean something else, so anyone may keep what they stand for. A page that shows it runs nothing of it. */
const HEADERS = {
  'accept-ranges': 'bytes',
  'cache-control': 'public, max-age=31536000, immutable',
  'content-security-policy': "default-src 'none'; sandbox",
  'cross-origin-resource-policy': 'cross-origin',
  'x-content-type-options': 'nosniff',
};

/** Whoever knows a name may read it from any page, as a URL of the object store could be. */
const CORS = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'accept-ranges, content-length, content-range, etag',
};
const RETRY_AFTER_SECONDS = 10;
const PREFLIGHT = { 'access-control-allow-methods': 'GET, HEAD', 'access-control-allow-headers': 'range, if-range, if-none-match' };

/** `GET /media/{name}` and HEAD: the file, or a range of it. The name cannot be guessed, and is the only authentication. */
export function serveMedia(app: Hono<HttpEnv>, media: Media, log: Pick<Log, 'warn'>): void {
  const path = `${MEDIA_PATH}/*`;
  app.use(path, async function allowAnyPage(c, next) {
    for (const [name, value] of Object.entries(CORS)) c.header(name, value);
    // A file may be there a moment later: only what is one may be kept.
    c.header('cache-control', 'no-store');
    return c.req.raw.method === 'OPTIONS' ? c.body(null, 204, PREFLIGHT) : next();
  });
  // Also HEAD.
  app.get(path, async (c) => {
    // As it was sent: names have nothing that would be encoded.
    const name = new URL(c.req.url).pathname.slice(MEDIA_PATH.length + 1);
    try {
      const found = await media.find(name);
      if (!found) return httpError(c, 404, 'not_found', 'There is no such file.');
      return await respond(c, found, (start, bytes) => media.stream(name, found.etag, start, bytes));
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      log.warn('media_not_read', { request_id: c.get('requestId'), error: error.message });
      c.header('Retry-After', String(RETRY_AFTER_SECONDS));
      return httpError(c, 503, 'media_unavailable', `The file could not be read from storage. Retry in ${RETRY_AFTER_SECONDS} s.`);
    }
  });
  app.all(path, (c) => {
    c.header('Allow', 'GET, HEAD, OPTIONS');
    return httpError(c, 405, 'method_not_allowed', 'Media can only be read.');
  });
}

async function respond(c: Context<HttpEnv>, found: Found, open: (start: number, bytes: number) => Promise<ReadableStream<Uint8Array>>) {
  const { bytes, contentType } = found;
  const etag = `"${found.etag.replaceAll('"', '')}"`;
  const headers = { ...HEADERS, etag, 'content-type': contentType };
  if (isNamed(c.req.header('if-none-match'), etag)) return c.body(null, 304, headers);
  const wanted = c.req.header('range');
  const isRanged = wanted !== undefined && c.req.raw.method === 'GET' && (c.req.header('if-range') ?? etag) === etag;
  const range = isRanged ? byteRange(wanted, bytes) : undefined;
  if (range === 'unsatisfiable') {
    c.header('Content-Range', `bytes */${bytes}`);
    return httpError(c, 416, 'bad_request', `The file has ${bytes} bytes.`);
  }
  const { start, end } = range ?? { start: 0, end: bytes };
  const lengths = { 'content-length': String(end - start), ...(range && { 'content-range': `bytes ${start}-${end - 1}/${bytes}` }) };
  const body = c.req.raw.method === 'HEAD' || bytes === 0 ? null : await open(start, end - start);
  const status = range ? 206 : 200;
  return body ? c.body(body, status, { ...headers, ...lengths }) : c.body(null, status, { ...headers, ...lengths });
}

/** Whether If-None-Match names this ETag (RFC 9110 section 13.1.2). */
function isNamed(header: string | undefined, etag: string): boolean {
  return header?.trim() === '*' || (header ?? '').split(',').some((named) => named.trim().replace(/^W\//, '') === etag);
}
