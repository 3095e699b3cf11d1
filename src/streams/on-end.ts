/**
 * Wraps the response to call `onEnd` once its body has been taken whole (`true`), or has failed or been cancelled
 * (`false`). A response without a body has been taken. `pause` keeps the response open after its last byte.
 */
export function onBodyEnd(response: Response, onEnd: (isWhole: boolean) => void, pause?: () => Promise<void>): Response {
  if (!response.body) {
    onEnd(true);
    return response;
  }
  const reader = response.body.getReader();
  let isCancelled = false;
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (!done) return controller.enqueue(value);
          await pause?.();
          if (isCancelled) return;
          onEnd(true);
          controller.close();
        } catch (error) {
          onEnd(false);
          controller.error(error);
        }
      },
      cancel(reason) {
        isCancelled = true;
        onEnd(false);
        return reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(body, response);
}

export function isEventStream({ headers }: Response): boolean {
  return headers.get('content-type')?.startsWith('text/event-stream') ?? false;
}
