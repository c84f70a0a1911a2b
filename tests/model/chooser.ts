import type { Random } from "../fixtures/inputs/random.ts";
import { bodyOf } from "./bodies.ts";
import type { CacheModel } from "./cache_model.ts";

const URLS = Array.from({ length: 24 }, (_, i) => `https://example.org/${i}`);

/** Chooses at random, with a preference for values at the edge of a cap. */
export class Chooser {
  readonly #random: Random;
  readonly #model: CacheModel;
  #bodies = 0;

  /** Chooses for a cache that must be like a model. */
  constructor(random: Random, model: CacheModel) {
    this.#random = random;
    this.#model = model;
  }

  /** A URL. */
  url(): string {
    return this.pick(URLS);
  }

  /** A body unlike any other. */
  body(size: number = this.size()): Uint8Array<ArrayBuffer> {
    return bodyOf(++this.#bodies, size);
  }

  /** The size of a body: small, large, exactly at a cap, or one byte above. */
  size(): number {
    const { maxEntryBytes, maxBytes } = this.#model.caps;
    const room = Math.max(0, maxBytes - this.#model.bytes);
    const edges = [0, 1, 7, maxEntryBytes, maxEntryBytes + 1, room, room + 1];
    if (this.chance(4)) return this.pick(edges);
    if (this.chance(4)) return this.draw(Math.ceil(1.2 * maxEntryBytes) + 10);
    return this.draw(Math.ceil(maxEntryBytes / 5) + 10);
  }

  /** One of the values. */
  pick<T>(values: readonly T[]): T {
    return this.#random.pick(values);
  }

  /** From 1 to `max`. */
  draw(max: number): number {
    return this.#random.integer(1, Math.max(1, max));
  }

  /** True once in this many times, on average. */
  chance(of: number): boolean {
    return this.#random.chance(of);
  }
}
