import { DONE, type Runtime } from '../ports.ts';
import { onAbort } from './abort.ts';
import type { Cancellations } from './cancellations.ts';
import type { WaitingCall } from './waiters.ts';

/**
 * Notes whether the client of a call has received its answer: that its last byte was taken, and no cancellation was seen.
 * Resolves once the first note is made; a cancellation that has crossed the answer makes a second.
 */
export type NoteDelivery = (call: WaitingCall, note: (isDelivered: boolean) => Promise<unknown>) => Promise<void>;

export function createNoteDelivery(cancellations: Cancellations, { waitUntil }: Pick<Runtime, 'waitUntil'>): NoteDelivery {
  return async (call, note) => {
    const { mayHaveLeft } = call.waiter;
    const over = new AbortController();
    // Who has left is released at once, so that the next call finds the result free.
    const isTaken = await Promise.race([call.delivered(), onAbort(mayHaveLeft, over.signal).then(() => false)]);
    over.abort(DONE);
    // A client that times out may keep its connection open, while its cancellation reaches another process. A key answers in
    // any case.
    const isCancelled = call.key === undefined && (await cancellations.since(call));
    const isDelivered = isTaken && !isCancelled && !mayHaveLeft.aborted;
    if (isDelivered) mayHaveLeft.addEventListener('abort', () => waitUntil(note(false).catch(() => {})), { once: true });
    await note(isDelivered);
  };
}
