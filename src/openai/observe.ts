import { GatewayError } from '../errors.ts';
import type { Events, SpanStart } from '../events.ts';
import { tokensOf } from './tokens.ts';
import type { Upstream } from './upstreams.ts';

/** What an upstream is asked for: OpenTelemetry's name where it has one. */
type Operation =
  | 'chat'
  | 'image_generation'
  | 'image_edit'
  | 'speech'
  | 'transcription'
  | 'video_creation'
  | 'video_retrieval'
  | 'video_download'
  | 'list_models';

type Observed = Readonly<{ operation: Operation; model: string | undefined }>;

/** What speaks OpenAI's API goes by its name; the host tells servers apart. */
const PROVIDERS = { openai: 'openai', compatible: 'openai', azure: 'azure.ai.openai' } as const;

/** Does one operation of an upstream, retries included, and reports its end. Tokens are those in the `usage` of the result. */
export function observe<Result>(upstream: Upstream, observed: Observed, work: () => Promise<Result>): Promise<Result> {
  const { events, clock, endpointHost: host } = upstream;
  const provider = PROVIDERS[upstream.provider];
  return events.during(
    () => startOf(observed, provider, host),
    async (span) => {
      const startMs = clock.now();
      const end = (usage: Usage, errorType?: string) => {
        const { input_tokens: inputTokens, output_tokens: outputTokens } = tokensOf(usage);
        const durationMs = clock.now() - startMs;
        events.emit({ type: 'upstream', ...observed, provider, host, durationMs, inputTokens, outputTokens, errorType });
        span?.setAttributes({
          'gen_ai.usage.input_tokens': inputTokens,
          'gen_ai.usage.output_tokens': outputTokens,
          'error.type': errorType,
        });
      };
      try {
        const result = await work();
        end(usageOf(result));
        return result;
      } catch (error) {
        end(undefined, errorTypeOf(error));
        throw error;
      }
    },
  );
}

type Usage = Record<string, unknown> | undefined;

function usageOf(result: unknown): Usage {
  return typeof result === 'object' && result !== null && 'usage' in result ? (result.usage as Usage) : undefined;
}

/** A client span (https://github.com/open-telemetry/semantic-conventions-genai, docs/gen-ai/gen-ai-spans.md). */
function startOf({ operation, model }: Observed, provider: string, host: string): SpanStart {
  const { hostname, port } = new URL(`http://${host}`);
  return {
    name: model === undefined ? operation : `${operation} ${model}`,
    kind: 'client',
    attributes: {
      'gen_ai.operation.name': operation,
      'gen_ai.provider.name': provider,
      'gen_ai.request.model': model,
      'server.address': hostname,
      'server.port': port === '' ? undefined : Number(port),
    },
  };
}

function errorTypeOf(error: unknown): string {
  if (!(error instanceof GatewayError)) return 'internal';
  return error.failure.kind === 'upstream_status' ? String(error.failure.status) : error.failure.kind;
}

/** Has each request name the span in which it is made, so that the upstream's own trace can go on from there. */
export function withTraceparent(send: typeof fetch, { traceparent }: Events): typeof fetch {
  return (input, init) => {
    const parent = traceparent();
    if (parent === undefined) return send(input, init);
    const headers = new Headers(init?.headers);
    headers.set('traceparent', parent);
    return send(input, { ...init, headers });
  };
}
