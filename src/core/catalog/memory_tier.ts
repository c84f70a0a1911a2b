import { Lru } from "./lru.ts";

/** The three caps of the memory tier. */
export interface MemoryCaps {
  /** The largest number of bodies. */
  maxItems: number;
  /** The most bytes of all bodies together. */
  maxBytes: number;
  /** The most bytes of one body; a larger body never enters. */
  maxItemBytes: number;
}

/** Keeps bodies in RAM; the least recently used leave first. */
export class MemoryTier {
  readonly #caps: MemoryCaps;
  readonly #bodies = new Lru<{ url: string; bytes: Uint8Array }>();

  constructor(caps: MemoryCaps) {
    this.#caps = caps;
  }

  /** The number of bodies in RAM. */
  get count(): number {
    return this.#bodies.count;
  }

  /** The bytes of all bodies in RAM. */
  get bytes(): number {
    return this.#bodies.bytes;
  }

  /** Whether a body of `size` bytes may enter. */
  admits(size: number): boolean {
    const { maxItems, maxBytes, maxItemBytes } = this.#caps;
    return maxItems >= 1 && size <= maxItemBytes && size <= maxBytes;
  }

  /**
   * The body of a URL, which becomes the most recent. The bytes belong to the tier:
   * the caller copies them before it hands them out.
   */
  use(url: string): Uint8Array | undefined {
    return this.#bodies.use(url)?.bytes;
  }

  /** The body of a URL, whose recency stays; the bytes belong to the tier. */
  peek(url: string): Uint8Array | undefined {
    return this.#bodies.peek(url)?.bytes;
  }

  /**
   * Keeps `bytes`, which belong to the tier from now on, and drops the least recently
   * used bodies until all caps hold.
   */
  keep(url: string, bytes: Uint8Array): void {
    if (!this.admits(bytes.length)) return this.delete(url);
    this.#bodies.set(url, { url, bytes }, bytes.length);
    const { maxBytes, maxItems } = this.#caps;
    for (const victim of this.#bodies.victims(maxBytes, maxItems)) {
      this.#bodies.delete(victim.url);
    }
  }

  /** Forgets the body of a URL. */
  delete(url: string): void {
    this.#bodies.delete(url);
  }

  /** Forgets all bodies. */
  clear(): void {
    this.#bodies.clear();
  }
}
