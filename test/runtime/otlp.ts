import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';

type Value = { stringValue?: string; intValue?: number | string; doubleValue?: number };
type OtlpSpan = {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  status: { code?: number };
  attributes: { key: string; value: Value }[];
};
type Export = { resourceSpans: { scopeSpans: { scope: { name: string }; spans: OtlpSpan[] }[] }[] };

/** The numbers of OTLP. */
export const SERVER = 2;
export const CLIENT = 3;
export const ERROR = 2;

/** Receives OTLP/HTTP as JSON, as a collector does (https://opentelemetry.io/docs/specs/otlp/#otlphttp). */
export async function startOtlpReceiver() {
  const spans: (Omit<OtlpSpan, 'attributes'> & { attributes: Record<string, string | number | undefined> })[] = [];
  const server = createServer(async (request, response) => {
    const { resourceSpans } = (await json(request)) as Export;
    const received = resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans));
    spans.push(
      ...received.map((span) => ({
        ...span,
        attributes: Object.fromEntries(span.attributes.map(({ key, value }) => [key, plain(value)])),
      })),
    );
    response.setHeader('content-type', 'application/json').end('{}');
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, spans, close: () => server.close() };
}

function plain({ stringValue, intValue, doubleValue }: Value): string | number | undefined {
  return stringValue ?? (intValue === undefined ? doubleValue : Number(intValue));
}
