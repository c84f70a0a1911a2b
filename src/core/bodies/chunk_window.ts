/** Chunks below this many bytes are gathered: an array of its own takes more memory. */
const SMALL_BYTES = 1_024;

/** The size of a buffer for small chunks, in bytes. */
const GATHERED_BYTES = 4_096;

interface Chunk {
  readonly start: number;
  /** The length of the bytes at first: a reader may have transferred them since. */
  length: number;
  bytes: Uint8Array<ArrayBuffer>;
  /** The buffer whose front the bytes are, for gathered chunks. */
  buffer?: Uint8Array<ArrayBuffer>;
}

/** The most bytes of a window that counts for a budget, beside a single larger chunk. */
export const WINDOW_BYTES = 1_048_576;

/**
 * Divides memory between the windows of uncached downloads. Each window may take an
 * equal share, of at most `WINDOW_BYTES`, and all together `maxBytes`, or `WINDOW_BYTES`
 * if that is more: a single small body must pass while its only reader waits for the end.
 * A window without a chunk may always take one: otherwise its readers would wait for those
 * of other windows.
 */
export class WindowBudget {
  readonly #maxBytes: number;
  /** The number of windows. */
  windows = 0;
  /** The bytes of all windows. */
  bytes = 0;

  /** @param maxBytes The limit for all windows together, beside a chunk for each. */
  constructor(maxBytes: number) {
    this.#maxBytes = Math.max(maxBytes, WINDOW_BYTES);
  }

  /** Whether a window that holds `held` bytes may take a chunk of `length` bytes. */
  admits(held: number, length: number): boolean {
    const share = Math.min(WINDOW_BYTES, this.#maxBytes / this.windows);
    return held === 0 ||
      held + length <= share && this.bytes + length <= this.#maxBytes;
  }
}

/** The latest chunks of a body, in order, with their positions. */
export class ChunkWindow {
  #chunks: Chunk[] = [];
  #end = 0;
  #bytes = 0;
  #budget: WindowBudget | undefined;

  /** The position of the first chunk; `end` without chunks. */
  get start(): number {
    return this.#chunks[0]?.start ?? this.#end;
  }

  /** The position of the next chunk: the bytes pushed so far. */
  get end(): number {
    return this.#end;
  }

  /** The bytes of all chunks. */
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
    this.#count(length);
  }

  /** Counts the bytes for a budget until `clear()`. */
  countFor(budget: WindowBudget): void {
    budget.windows++;
    budget.bytes += this.#bytes;
    this.#budget = budget;
  }

  /** Forgets all chunks, and takes no more. Idempotent. */
  clear(): void {
    this.dropBefore(Infinity);
    if (this.#budget !== undefined) this.#budget.windows--;
    this.#budget = undefined;
  }

  /**
   * The bytes from `position` to the end of their chunk; undefined if there is no such
   * chunk, or a reader has transferred it.
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
      this.#count(-length);
      count++;
    }
    if (count > 0) this.#chunks.splice(0, count);
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    if (this.#budget !== undefined) this.#budget.bytes += bytes;
  }
}

/** Adds a small chunk to another small chunk; false if that is large or full. */
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
