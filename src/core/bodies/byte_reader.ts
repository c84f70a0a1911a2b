import { assertAttached } from "./body_data.ts";
import type { MaybePromise } from "../disk/io_mode.ts";
import { Pacer } from "../async/pacer.ts";

/** Bytes of a piece, where a body in a file or in RAM is read piece by piece. */
export const PIECE_BYTES = 262_144;

/** Reads a body, or a range of it, from front to back. */
export interface ByteReader {
  /** Reads the next bytes, at least one; undefined at the end. */
  read(): MaybePromise<Uint8Array<ArrayBuffer> | undefined>;
  /**
   * Reads the next bytes into the front of `view`; returns their number, 0 at the end.
   * Readers of a running download lack it: they hand out shared chunks, which a byte
   * stream would detach.
   */
  readInto?(view: Uint8Array): MaybePromise<number>;
  /** Ends a read that waits, and lets the body go. Idempotent. */
  close(): void;
}

/**
 * The bytes of a reader as a stream that reads nothing ahead. A byte stream
 * where the reader can fill a buffer, so that BYOB readers save the copy.
 *
 * @param open Called at the first pull.
 * @param onEnd Called when the stream is closed, cancelled or broken.
 */
export function toStream(
  open: () => ByteReader,
  bytes: boolean,
  onEnd: () => void = () => {},
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let reader: ByteReader | undefined;
  let pacer: Pacer | undefined;
  let pulling: Promise<void> | undefined;
  const pull = (controller: Controller) => pulling = pullOnce(controller);
  const pullOnce = async (controller: Controller) => {
    try {
      reader ??= open();
      pacer ??= new Pacer();
      if (pacer.due) await pacer.yield();
      const request = "byobRequest" in controller
        ? controller.byobRequest
        : null;
      if (request?.view && reader.readInto) {
        const { buffer, byteOffset, byteLength } = request.view;
        const count = await reader.readInto(
          new Uint8Array(buffer, byteOffset, byteLength),
        );
        if (count === 0) close(controller);
        return request.respond(count);
      }
      const chunk = await reader.read();
      if (chunk === undefined) return close(controller);
      // A reader of the same download may have detached the chunk that it shares.
      assertAttached(chunk);
      controller.enqueue(chunk);
    } catch (error) {
      onEnd();
      throw error;
    }
  };
  const close = (controller: { close(): void }) => {
    onEnd();
    controller.close();
  };
  const cancel = async () => {
    onEnd();
    try {
      (reader ??= open()).close();
    } catch {
      // The body can't be read any more, so there is no reader to close.
    }
    // A read of a slow disk may be running: the file is closed behind it.
    await pulling?.catch(() => {});
  };
  const strategy = { highWaterMark: 0 };
  return bytes
    ? new ReadableStream({ type: "bytes", pull, cancel }, strategy)
    : new ReadableStream({ pull, cancel }, strategy);
}

type Controller =
  | ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>
  | ReadableByteStreamController;

/** Reads all bytes into an array, and closes the reader. */
export async function gather(
  reader: ByteReader,
  size: number | undefined,
): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return reader.readInto !== undefined && size !== undefined
      ? await fill(reader.readInto.bind(reader), size)
      : await concatenate(reader);
  } finally {
    reader.close();
  }
}

async function fill(
  readInto: (view: Uint8Array) => MaybePromise<number>,
  size: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(size);
  const pacer = size > PIECE_BYTES ? new Pacer() : undefined;
  for (let done = 0; done < size;) {
    const piece = bytes.subarray(done, Math.min(size, done + PIECE_BYTES));
    const result = readInto(piece);
    const count = typeof result === "number" ? result : await result;
    if (count === 0) return bytes.slice(0, done);
    done += count;
    if (pacer?.due && done < size) await pacer.yield();
  }
  return bytes;
}

async function concatenate(
  reader: ByteReader,
): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  const pacer = new Pacer();
  for (
    let chunk = await reader.read();
    chunk !== undefined;
    chunk = await reader.read()
  ) {
    chunks.push(chunk);
    if (pacer.due) await pacer.yield();
  }
  return joined(chunks);
}

/** Copies pieces in their order into a new array. */
export function joined(
  pieces: readonly Uint8Array[],
): Uint8Array<ArrayBuffer> {
  const size = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const bytes = new Uint8Array(size);
  let position = 0;
  for (const piece of pieces) {
    bytes.set(piece, position);
    position += piece.length;
  }
  return bytes;
}
