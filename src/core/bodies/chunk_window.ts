/** A chunk below this is small: thousands of them would take more than their bytes. */
const SMALL_BYTES = 1_024;

/** Small chunks that follow each other are gathered in buffers of this size. */
const GATHERED_BYTES = 4_096;

interface Chunk {
  readonly start: number;
  /** Of the bytes when they came: whoever was handed them may have transferred them. */
  length: number;
  bytes: Uint8Array<ArrayBuffer>;
  /** What the bytes are the front of, where they were gathered. */
  buffer?: Uint8Array<ArrayBuffer>;
}

/** The latest chunks of a body, in order, with their places in it. */
export class ChunkWindow {
  #chunks: Chunk[] = [];
  #end = 0;
  #bytes = 0;

  /** Where the first chunk kept begins; the end when none is kept. */
  get start(): number {
    return this.#chunks[0]?.start ?? this.#end;
  }

  /** Where the next chunk will begin: the bytes seen so far. */
  get end(): number {
    return this.#end;
  }

  /** Bytes kept. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Adds the next chunk. */
  push(bytes: Uint8Array<ArrayBuffer>): void {
    const { length } = bytes;
    const last = this.#chunks.at(-1);
    const isGathered = last !== undefined && length < SMALL_BYTES &&
      gather(last, bytes);
    if (!isGathered) this.#chunks.push({ start: this.#end, length, bytes });
    this.#end += length;
    this.#bytes += length;
  }

  /**
   * What is kept from `position` on, up to the end of its chunk; nothing of a chunk
   * that is no longer what it was.
   */
  at(position: number): Uint8Array<ArrayBuffer> | undefined {
    if (position < this.start || position >= this.#end) return undefined;
    for (let i = this.#chunks.length - 1; i >= 0; i--) {
      const chunk = this.#chunks[i];
      if (chunk === undefined || chunk.start > position) continue;
      if (!isIntact(chunk)) return undefined;
      return position === chunk.start
        ? chunk.bytes
        : chunk.bytes.subarray(position - chunk.start);
    }
    return undefined;
  }

  /** Forgets the chunks that end at or before `position`. */
  dropBefore(position: number): void {
    let count = 0;
    for (const { start, length } of this.#chunks) {
      if (start + length > position) break;
      this.#bytes -= length;
      count++;
    }
    if (count > 0) this.#chunks.splice(0, count);
  }
}

/** Adds a small chunk to another; false where that is none, or there is no room. */
function gather(chunk: Chunk, bytes: Uint8Array<ArrayBuffer>): boolean {
  const end = chunk.length + bytes.length;
  const isSmall = chunk.length < SMALL_BYTES || chunk.buffer !== undefined;
  if (!isSmall || end > GATHERED_BYTES || !isIntact(chunk)) return false;
  if (chunk.buffer === undefined) {
    chunk.buffer = new Uint8Array(GATHERED_BYTES);
    chunk.buffer.set(chunk.bytes);
  }
  chunk.buffer.set(bytes, chunk.length);
  chunk.length = end;
  chunk.bytes = chunk.buffer.subarray(0, end);
  return true;
}

function isIntact({ bytes, length }: Chunk): boolean {
  return bytes.length === length;
}
