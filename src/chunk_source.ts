import { PIECE_BYTES } from "./byte_reader.ts";

/** Yields the bytes of whatever a downloader or a caller of `put()` gives. */
export interface ChunkSource {
  /** The next chunk; undefined at the end. */
  next(): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Stops the source; a `next()` that waits ends. Never rejects. */
  cancel(reason: unknown): Promise<void>;
}

/** Makes a source of bytes, of a Blob or of a stream. */
export function chunkSource(
  data: Uint8Array | Blob | ReadableStream<Uint8Array>,
): ChunkSource {
  if (data instanceof Uint8Array) return bytesSource(data);
  return streamSource("getReader" in data ? data : data.stream());
}

function bytesSource(data: Uint8Array): ChunkSource {
  let position = 0;
  return {
    next() {
      if (position >= data.length) return Promise.resolve(undefined);
      // Copied: readers get the piece, and the array stays the caller's.
      const piece = data.slice(position, position + PIECE_BYTES);
      position += piece.length;
      return Promise.resolve(piece as Uint8Array<ArrayBuffer>);
    },
    cancel: () => Promise.resolve(),
  };
}

function streamSource(stream: ReadableStream<Uint8Array>): ChunkSource {
  const reader = stream.getReader();
  return {
    async next() {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return undefined;
        if (!(value instanceof Uint8Array)) {
          throw new TypeError(
            `Cannot read body: chunks must be Uint8Array: received ${typeof value}`,
          );
        }
        if (value.length > 0) return value as Uint8Array<ArrayBuffer>;
      }
    },
    async cancel(reason) {
      try {
        await reader.cancel(reason);
      } catch {
        // It had failed on its own.
      }
    },
  };
}
