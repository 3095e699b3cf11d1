import type * as z from 'zod';
import { type Failure, GatewayError, mapRetry } from '../errors.ts';
import type { Capability } from '../openai/upstreams.ts';
import type { Estimate } from '../usage/cost.ts';
import type { Tool, ToolContext } from './tool.ts';

/** Too many requests, and overloaded: the server has not started. */
const NOT_STARTED = new Set([429, 503]);

/**
 * Has a tool try the second upstream of a capability, if there is one, when the first has refused a call before it began;
 * see {@link isRefusal}. The result says who has served it, and its cost is by the prices of that upstream. The estimate is
 * that of the dearer one, so that budgets hold whoever serves the call. `mayTry`: what else the second may be asked after.
 */
export function withFallback<Input extends z.ZodObject, Output extends z.ZodObject>(
  capability: Capability,
  tool: Tool<Input, Output>,
  mayTry: (failure: Failure, input: z.output<Input>) => boolean = isRefusal,
): Tool<Input, Output> {
  const { estimate } = tool;
  return {
    ...tool,
    ...(estimate && {
      estimate(input, context) {
        const second = secondCall(capability, input, context);
        const first = estimate(input, context);
        return second ? dearer(first, estimate(second.input, second.context)) : first;
      },
    }),
    async handler(input, context) {
      try {
        return await tool.handler(input, context);
      } catch (error) {
        const second = secondCall(capability, input, context);
        if (!second || !(error instanceof GatewayError) || !mayTry(error.failure, input)) throw error;
        const { served_by } = second;
        context.log('fallback', { capability, host: served_by, reason: error.failure.kind });
        const sign = <Result extends object>(output: Result) => ({ ...output, served_by });
        try {
          await tool.check?.(second.input, second.context);
          return sign(await tool.handler(second.input, second.context));
        } catch (next) {
          throw bothFailed(error, mapRetry(next, sign));
        }
      }
    },
  };
}

/** Whether a server has refused a request before it began; after any other failure, the request may be billed. */
export function isRefusal(failure: Failure): boolean {
  switch (failure.kind) {
    case 'quota_exhausted':
      return true;
    case 'upstream_status':
      return failure.paid && NOT_STARTED.has(failure.status);
    case 'upstream_unreachable':
      return failure.paid && !failure.sent;
    default:
      return false;
  }
}

/** The call as it is for the second upstream; `undefined` if there is none. */
function secondCall<Input>(capability: Capability, input: Input, context: ToolContext) {
  const first = context.upstreams[capability];
  if (!first.available || !first.fallback) return undefined;
  const { upstream, hasOwnModel } = first.fallback;
  return {
    // A name that the caller has chosen is one of the first upstream's models.
    input: hasOwnModel ? { ...input, model: undefined } : input,
    context: { ...context, upstreams: { ...context.upstreams, [capability]: upstream } },
    served_by: upstream.endpointHost,
  };
}

function dearer(first: Estimate, second: Estimate): Estimate {
  if ('problem' in first) return first;
  return 'problem' in second || second.usd > first.usd ? second : first;
}

function bothFailed(first: GatewayError, second: unknown): unknown {
  if (!(second instanceof GatewayError) || second.failure.kind === 'cancelled') return second;
  const failure: Failure = { kind: 'fallback_failed', first: first.failure, second: second.failure };
  return new GatewayError(failure, { cause: second, retry: second.retry });
}
