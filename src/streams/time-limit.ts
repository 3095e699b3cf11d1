import type { Clock } from '../ports.ts';

/** Thrown by {@link withTimeLimit} when the time is over. */
export class TimeLimitError extends Error {
  override readonly name = 'TimeLimitError';
}

/**
 * Runs `work` with a signal that is aborted after `timeoutMs` or with `outer`, and leaves nothing behind on either.
 * Throws a `TimeLimitError` when the time was over, and otherwise what `work` throws.
 */
export async function withTimeLimit<Result>(
  { timeLimit }: Pick<Clock, 'timeLimit'>,
  timeoutMs: number,
  work: (signal: AbortSignal) => Promise<Result>,
  outer?: AbortSignal,
): Promise<Result> {
  const controller = new AbortController();
  const finished = new AbortController();
  let isOver = false;
  const stop = () => controller.abort(outer?.reason);
  outer?.addEventListener('abort', stop, { once: true });
  if (outer?.aborted) stop();
  const timer = timeLimit(timeoutMs, finished.signal).then(
    () => {
      isOver = true;
      controller.abort(new TimeLimitError(`No result within ${timeoutMs} ms.`));
    },
    () => {},
  );
  try {
    return await work(controller.signal);
  } catch (cause) {
    throw isOver && !outer?.aborted ? new TimeLimitError(`No result within ${timeoutMs} ms.`, { cause }) : cause;
  } finally {
    finished.abort();
    outer?.removeEventListener('abort', stop);
    void timer;
  }
}
