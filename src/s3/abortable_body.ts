/**
 * Ties a body to a signal. The signal of `fetch` alone does not end a body: Deno 2.9.6
 * forgets it as soon as the response is there and memory was collected (measured).
 *
 * @param body The body, which is cancelled when the signal aborts.
 * @param signal Its reason becomes the error of the stream.
 */
export function abortableBody(
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let abort = () => {};
  const untie = () => signal.removeEventListener("abort", abort);
  return new ReadableStream({
    start(controller) {
      abort = () => {
        controller.error(signal.reason);
        reader.cancel(signal.reason).catch(() => {});
      };
      signal.addEventListener("abort", abort, { once: true });
      if (signal.aborted) abort();
    },
    async pull(controller) {
      const { done, value } = await reader.read();
      if (signal.aborted) return;
      if (!done) return controller.enqueue(value);
      untie();
      controller.close();
    },
    async cancel(reason) {
      untie();
      await reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
}
