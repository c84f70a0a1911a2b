import type { Media } from "../media.ts";
import type { ByteRange } from "./byte_range.ts";

/**
 * A stream of part of a Media, which goes back when the stream ends: a slice
 * alone leaves the Media unread, and its file open, until it is collected.
 */
export function rangedBody(
  media: Media,
  { start, end }: ByteRange,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const reader = media.slice(start, end).getReader();
  const dispose = () => media[Symbol.asyncDispose]();
  return new ReadableStream({
    async pull(controller) {
      try {
        const { value } = await reader.read();
        if (value !== undefined) return controller.enqueue(value);
      } catch (error) {
        await dispose();
        throw error;
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
