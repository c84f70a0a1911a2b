import type { EntryInfo } from "../../core/api/entry_info.ts";
import type { MediaCache } from "../../core/media_cache.ts";
import { Pacer } from "../../core/async/pacer.ts";
import { FirstFew } from "./first_few.ts";
import type { UseCounter } from "../metrics/use_counter.ts";

const COUNT = 8;

/** Pause after a pass over the entries, as a multiple of its duration. */
const REST_FACTOR = 50;

/** An entry and its hits. */
export interface UsedEntry {
  /** The entry itself. */
  readonly entry: EntryInfo;
  /** Hits since the router was made, where remembered. */
  readonly uses: number;
}

/** The largest and the most used entries. */
export interface Top {
  /** The entries with the most bytes. */
  readonly largest: readonly UsedEntry[];
  /** The entries with the most hits; among equals the last used. */
  readonly mostUsed: readonly UsedEntry[];
}

/** Finds the largest and the most used entries at a small share of the time. */
export class TopEntries {
  readonly #cache: MediaCache;
  readonly #uses: UseCounter;
  #found: Promise<Top> | undefined;
  #restsUntil = 0;

  /** Creates a finder, which looks when it is first asked. */
  constructor(cache: MediaCache, uses: UseCounter) {
    this.#cache = cache;
    this.#uses = uses;
  }

  /**
   * Returns the result of a pass that ended now or a moment ago. Concurrent
   * calls share a pass.
   */
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
      // Entries come with the last used first, and equals keep their order.
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
