import { MediaCacheError } from "../../core/api/errors.ts";
import { errorFacts, failureReason } from "../../core/text/failure_reason.ts";
import type { Media } from "../../core/api/media.ts";

/**
 * Returns a stream of a Media, or of a slice, that disposes of the Media when
 * it ends. After a slice alone the Media would hold its file until it is
 * collected.
 *
 * Errors are replaced: a server may log them, and a downloader's message may
 * hold the URL.
 */
export function ownedBody(
  media: Media,
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const reader = stream.getReader();
  const dispose = () => media[Symbol.asyncDispose]();
  return new ReadableStream({
    async pull(controller) {
      try {
        const { value } = await reader.read();
        if (value !== undefined) return controller.enqueue(value);
      } catch (error) {
        await dispose();
        const reason = failureReason(errorFacts(error));
        throw new MediaCacheError(
          `Cannot serve media: reading failed: ${reason}`,
        );
      }
      await dispose();
      controller.close();
    },
    async cancel(reason) {
      await reader.cancel(reason);
      await dispose();
    },
  }, { highWaterMark: 0 });
}
