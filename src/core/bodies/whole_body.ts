import type { ByteReader } from "./byte_reader.ts";
import type { MediaBody, WholeBytes } from "./media_body.ts";
import type { ServedCounter } from "./stored_body.ts";

/**
 * The body of a download that came in a single chunk. Its readers share the chunk, as
 * those of a longer download do: a copy for each takes longer than all else between
 * the chunk and its first reader (25 µs for 64 KiB, measured).
 */
export class WholeBody implements MediaBody {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #chunk: Uint8Array<ArrayBuffer>;
  readonly #counter: ServedCounter;
  readonly #end: Promise<void> | undefined;
  /** False: a byte stream would detach the chunk. */
  readonly isByteStream = false;

  /**
   * Wraps a chunk.
   *
   * @param bytes A copy of the chunk, which nobody changes.
   * @param counter Counts what readers are handed.
   * @param end Readers wait for this promise before they see the end of the body.
   */
  constructor(
    bytes: Uint8Array<ArrayBuffer>,
    chunk: Uint8Array<ArrayBuffer>,
    counter: ServedCounter,
    end: Promise<void> | undefined,
  ) {
    this.#bytes = bytes;
    this.#chunk = chunk;
    this.#counter = counter;
    this.#end = end;
  }

  get size(): number {
    return this.#bytes.length;
  }

  async take(): Promise<Uint8Array<ArrayBuffer>> {
    this.#counter.bytesServed += this.size;
    await this.#end;
    return this.#bytes;
  }

  async whole(stored: Promise<unknown>): Promise<WholeBytes> {
    await stored;
    return { bytes: this.#bytes };
  }

  reader(start: number, end: number): ByteReader {
    let isTaken = start >= Math.min(end, this.size);
    return {
      read: async () => {
        if (!isTaken) {
          isTaken = true;
          return this.#take(start, end);
        }
        if (end >= this.size) await this.#end;
        return undefined;
      },
      close: () => {
        isTaken = true;
      },
    };
  }

  release(): void {}

  /** The chunk, or a copy of a range of it. */
  #take(start: number, end: number): Uint8Array<ArrayBuffer> {
    // A reader of the chunk may have detached it.
    const isWhole = start === 0 && end >= this.size &&
      this.#chunk.length === this.size;
    const bytes = isWhole ? this.#chunk : this.#bytes.slice(start, end);
    this.#counter.bytesServed += bytes.length;
    return bytes;
  }
}
