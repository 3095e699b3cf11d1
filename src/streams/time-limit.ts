import { type Clock, DONE } from '../ports.ts';

/** Thrown by {@link withTimeLimit} on timeout. */
export class TimeLimitError extends Error {
  override readonly name = 'TimeLimitError';
}

/**
 * Runs `work` with a signal that aborts after `timeoutMs` or with `outer`, and cleans up its timer and listener. Throws
 * a `TimeLimitError` on timeout; otherwise rethrows what `work` throws.
 */
export async function withTimeLimit<Result>(
  { timeLimit }: Pick<Clock, 'timeLimit'>,
  timeoutMs: number,
  work: (signal: AbortSignal) => Promise<Result>,
  outer?: AbortSignal,
): Promise<Result> {
  const controller = new AbortController();
  const finished = new AbortController();
  let isTimedOut = false;
  const stop = () => controller.abort(outer?.reason);
  outer?.addEventListener('abort', stop, { once: true });
  if (outer?.aborted) stop();
  timeLimit(timeoutMs, finished.signal).then(
    () => {
      isTimedOut = true;
      controller.abort(new TimeLimitError(`No result within ${timeoutMs} ms.`));
    },
    () => {},
  );
  try {
    return await work(controller.signal);
  } catch (cause) {
    throw isTimedOut && !outer?.aborted ? new TimeLimitError(`No result within ${timeoutMs} ms.`, { cause }) : cause;
  } finally {
    finished.abort(DONE);
    outer?.removeEventListener('abort', stop);
  }
}
