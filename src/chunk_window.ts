/** The latest chunks of a body, in order, with their places in it. */
export class ChunkWindow {
  #chunks: { start: number; bytes: Uint8Array<ArrayBuffer> }[] = [];
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
    this.#chunks.push({ start: this.#end, bytes });
    this.#end += bytes.length;
    this.#bytes += bytes.length;
  }

  /** What is kept from `position` on, up to the end of its chunk. */
  at(position: number): Uint8Array<ArrayBuffer> | undefined {
    if (position < this.start || position >= this.#end) return undefined;
    for (let i = this.#chunks.length - 1; i >= 0; i--) {
      const chunk = this.#chunks[i];
      if (chunk !== undefined && chunk.start <= position) {
        return position === chunk.start
          ? chunk.bytes
          : chunk.bytes.subarray(position - chunk.start);
      }
    }
  }

  /** Forgets the chunks that end at or before `position`. */
  dropBefore(position: number): void {
    let count = 0;
    for (const { start, bytes } of this.#chunks) {
      if (start + bytes.length > position) break;
      this.#bytes -= bytes.length;
      count++;
    }
    if (count > 0) this.#chunks.splice(0, count);
  }
}
