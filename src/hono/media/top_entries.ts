import type { EntryInfo } from "../../core/api/entry_info.ts";
import type { MediaCache } from "../../core/media_cache.ts";
import { Pacer } from "../../core/async/pacer.ts";
import { FirstFew } from "./first_few.ts";
import type { UseCounter } from "../metrics/use_counter.ts";

const COUNT = 8;

/** A pass over very many entries rests this many times as long as it took. */
const REST_FACTOR = 50;

/** An entry and its hits. */
export interface UsedEntry {
  /** The entry. */
  readonly entry: EntryInfo;
  /** Hits since the router was made, as far as they are remembered. */
  readonly uses: number;
}

/** The entries that stand out. */
export interface Top {
  /** Those of the most bytes. */
  readonly largest: readonly UsedEntry[];
  /** Those of the most hits; among equals, the last used. */
  readonly mostUsed: readonly UsedEntry[];
}

/** Finds the entries that stand out, at a small share of the time. */
export class TopEntries {
  readonly #cache: MediaCache;
  readonly #uses: UseCounter;
  #found: Promise<Top> | undefined;
  #restsUntil = 0;

  /** Finds nothing yet. */
  constructor(cache: MediaCache, uses: UseCounter) {
    this.#cache = cache;
    this.#uses = uses;
  }

  /** What stands out, now or a moment ago; concurrent calls share one pass. */
  find(): Promise<Top> {
    if (this.#found === undefined || performance.now() > this.#restsUntil) {
      this.#restsUntil = Infinity;
      this.#found = this.#find();
    }
    return this.#found;
  }

  async #find(): Promise<Top> {
    const start = performance.now();
    try {
      const largest = new FirstFew<UsedEntry>(
        COUNT,
        (a, b) => b.entry.size - a.entry.size,
      );
      // Entries come last used first, and equals keep their order.
      const mostUsed = new FirstFew<UsedEntry>(
        COUNT,
        (a, b) => b.uses - a.uses,
      );
      const pacer = new Pacer();
      for await (const entry of this.#cache.entries()) {
        if (pacer.due) await pacer.yield();
        const used = { entry, uses: this.#uses.of(entry.key) };
        largest.add(used);
        mostUsed.add(used);
      }
      return { largest: largest.items, mostUsed: mostUsed.items };
    } finally {
      const now = performance.now();
      this.#restsUntil = now + (now - start) * REST_FACTOR;
    }
  }
}
