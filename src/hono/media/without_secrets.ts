import { MediaCacheError } from "../../core/api/errors.ts";
import { errorFacts, failureReason } from "../../core/text/failure_reason.ts";

/**
 * Returns a stream of the same bytes, whose errors are replaced: a server may log
 * them, and a downloader's message may hold the URL.
 */
export function withoutSecrets(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const reader = stream.getReader();
  return new ReadableStream({
    async pull(controller) {
      try {
        const { value } = await reader.read();
        if (value !== undefined) return controller.enqueue(value);
      } catch (error) {
        const reason = failureReason(errorFacts(error));
        throw new MediaCacheError(
          `Cannot serve media: reading failed: ${reason}`,
        );
      }
      controller.close();
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });
}
