import { type Duplex, pipeline, type Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import type { Dispatcher } from 'undici';
import { type ByteReader, READER, readerOfChunks, streamOf } from '../streams/byte-reader.ts';

/** For servers that compress although they were not asked to. */
const DECODERS: Readonly<Record<string, () => Duplex>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
};

/**
 * Fetches a small answer without web streams, `Request` and `Response`, which would take half of the time that a chat
 * call costs the gateway. Takes what the `openai` client passes to fetch, and follows no redirects. Failures are those of
 * fetch: a TypeError with its cause.
 */
export async function fetchSmall(dispatcher: Dispatcher, url: string, init: RequestInit): Promise<Response> {
  const { origin, pathname, search } = new URL(url);
  const answer = await dispatcher.request({
    origin,
    path: pathname + search,
    method: (init.method ?? 'GET').toUpperCase() as Dispatcher.HttpMethod,
    headers: Object.fromEntries(new Headers(init.headers)),
    body: (init.body as string | null | undefined) ?? null,
    signal: init.signal ?? null,
  });
  return new SmallResponse(url, answer) as unknown as Response;
}

/** What is used of a `Response`. */
class SmallResponse {
  readonly url: string;
  readonly status: number;
  readonly statusText = '';
  readonly ok: boolean;
  readonly #headers: Dispatcher.ResponseData['headers'];
  readonly #content: Readable;
  #native: Headers | undefined;

  constructor(url: string, { statusCode, headers, body }: Dispatcher.ResponseData) {
    this.url = url;
    this.status = statusCode;
    this.ok = statusCode >= 200 && statusCode < 300;
    this.#headers = headers;
    const decode = DECODERS[String(headers['content-encoding'] ?? '').toLowerCase()];
    // Reading reports the error.
    this.#content = decode ? pipeline(body, decode(), () => {}) : body;
  }

  get headers(): Headers {
    this.#native ??= new Headers(
      Object.entries(this.#headers).flatMap(([name, value]) => [value ?? []].flat().map((one): [string, string] => [name, one])),
    );
    return this.#native;
  }

  /** Only for what reads errors: the client looks at it in any case, and a stream takes time. */
  get body(): ReadableStream<Uint8Array> | null {
    return this.ok ? null : streamOf(this[READER]());
  }

  [READER](): ByteReader {
    return readerOfNode(this.#content);
  }
}

function readerOfNode(content: Readable): ByteReader {
  const chunks: AsyncIterator<Uint8Array> = content[Symbol.asyncIterator]();
  async function next(): Promise<Uint8Array | undefined> {
    try {
      return (await chunks.next()).value;
    } catch (cause) {
      throw new TypeError('terminated', { cause });
    }
  }
  return readerOfChunks(next, async () => void content.destroy());
}
