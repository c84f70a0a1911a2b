import { Lru } from "./lru.ts";

/** The three caps of the memory tier. */
export interface MemoryCaps {
  /** Bodies at the most. */
  maxItems: number;
  /** Bytes of all bodies at the most. */
  maxBytes: number;
  /** Bytes of one body at the most; a larger one never enters. */
  maxItemBytes: number;
}

/** Bodies kept in RAM, the least recently used of which leave first. */
export class MemoryTier {
  readonly #caps: MemoryCaps;
  readonly #bodies = new Lru<{ url: string; bytes: Uint8Array }>();

  /** A tier that starts empty. */
  constructor(caps: MemoryCaps) {
    this.#caps = caps;
  }

  /** How many bodies are in RAM. */
  get count(): number {
    return this.#bodies.count;
  }

  /** The bytes of all bodies in RAM. */
  get bytes(): number {
    return this.#bodies.bytes;
  }

  /** Whether a body of this size may enter. */
  admits(size: number): boolean {
    const { maxItems, maxBytes, maxItemBytes } = this.#caps;
    return maxItems >= 1 && size <= maxItemBytes && size <= maxBytes;
  }

  /**
   * The body of a URL, which becomes the most recent. It is the tier's own:
   * whoever hands it out makes a copy.
   */
  use(url: string): Uint8Array | undefined {
    return this.#bodies.use(url)?.bytes;
  }

  /** The same body; its recency stays. */
  peek(url: string): Uint8Array | undefined {
    return this.#bodies.peek(url)?.bytes;
  }

  /**
   * Keeps `bytes`, which from now on belong to the tier, and sheds the least
   * recently used bodies until all caps hold.
   */
  keep(url: string, bytes: Uint8Array): void {
    this.#bodies.delete(url);
    if (!this.admits(bytes.length)) return;
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
