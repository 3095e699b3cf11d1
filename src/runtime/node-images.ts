import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { PREVIEWS_TIMEOUT_MS } from '../limits.ts';
import type { ShrinkImage, ShrunkImage } from '../ports.ts';
import type { ShrinkRequest } from './node-shrink.ts';

/** The published package has it as JavaScript. */
const PROGRAM = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './node-shrink.ts' : './node-shrink.js', import.meta.url));

/** In processes of their own, one after the other. */
export function createShrinkImage(): ShrinkImage {
  let tail: Promise<unknown> = Promise.resolve();
  return (image, options) => {
    const shrunk = tail.then(() => shrinkElsewhere({ image, ...options }));
    tail = shrunk.catch(() => {});
    return shrunk;
  };
}

/**
 * The memory of decoded images goes with the process: this one would keep up to 200 MB of it. What a crafted image does
 * to the decoder stays there as well, where there are no secrets in the environment.
 */
async function shrinkElsewhere(request: ShrinkRequest): Promise<ShrunkImage> {
  const child = fork(PROGRAM, {
    env: {},
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    timeout: PREVIEWS_TIMEOUT_MS,
    killSignal: 'SIGKILL',
  });
  const ended = once(child, 'exit').then(([code, signal]) => {
    throw new Error(`The image process ended early (${code ?? signal}).`);
  });
  try {
    const [[answer]] = await Promise.all([Promise.race([once(child, 'message'), ended]), send(child, request)]);
    if ('error' in answer) throw new Error(answer.error);
    return answer;
  } finally {
    // It ends with its channel.
    if (child.connected) child.disconnect();
  }
}

/** Rejects where the process could not be started, and has no channel. */
async function send(child: ChildProcess, request: ShrinkRequest): Promise<void> {
  child.send(request);
}
