import type { Catalog } from "../catalog/catalog.ts";
import type { Counters } from "../api/stats.ts";
import { datName } from "../disk/file_names.ts";
import type { DiskErrors } from "../reporting/disk_errors.ts";
import type { Entry } from "../catalog/entry.ts";
import type { EventHub } from "../reporting/event_hub.ts";
import type { PairStore } from "../disk/pair_store.ts";
import type { Removal } from "./removal.ts";
import { Pacer } from "../async/pacer.ts";

/** What evicting works on. */
export interface EvictionParts {
  /** The files of the directory. */
  readonly store: PairStore;
  /** The known entries. */
  readonly catalog: Catalog;
  /** Removes the victims. */
  readonly removal: Removal;
  /** Counts and reports disk errors. */
  readonly errors: DiskErrors;
  /** Emits events. */
  readonly hub: EventHub;
  /** The counters of the cache. */
  readonly counters: Counters;
}

/** Removes the least recently used entries from disk. */
export class Eviction {
  readonly #parts: EvictionParts;
  readonly #maxBytes: number;

  /** Keeps the bodies of all entries within `maxBytes`. */
  constructor(parts: EvictionParts, maxBytes: number) {
    this.#parts = parts;
    this.#maxBytes = maxBytes;
  }

  /**
   * Evicts until there is room for an entry of `size` bytes under `url`. What it
   * is about to replace makes room by itself, so it is no victim. Each victim is
   * looked at once more before it goes: another process may have used it.
   *
   * @throws The file system's error, if it removes none of them.
   */
  async makeRoom(size: number, url: string): Promise<void> {
    const { store, catalog, errors } = this.#parts;
    const pacer = new Pacer();
    const failed = new Map<string, unknown>();
    // Asked anew each time: lookups go on meanwhile, and may find or drop it.
    const others = () => catalog.totalBytes - (catalog.peek(url)?.size ?? 0);
    while (others() + size > this.#maxBytes) {
      const victim = catalog.oldest();
      if (victim === undefined) return;
      if (failed.has(victim.key)) throw failed.get(victim.key);
      if (pacer.due) await pacer.yield();
      if (victim.url === url) {
        catalog.use(url);
        continue;
      }
      const facts = await store.facts(datName(victim.key));
      // It may have been used meanwhile, here or elsewhere.
      if (catalog.oldest() !== victim) continue;
      if (facts === undefined) catalog.forget(victim.url);
      else if (facts.mtimeMs > victim.mtimeMs) {
        catalog.usedElsewhere(victim, facts.mtimeMs);
      } else {
        await this.#evict(victim).catch((error) => {
          errors.report("evict an entry", error);
          failed.set(victim.key, error);
        });
      }
    }
  }

  async #evict(victim: Entry): Promise<void> {
    const { catalog, removal, counters, hub } = this.#parts;
    const { url, key, mimetype, filename, size, lastAccess } = victim;
    const isWanted = () => catalog.oldest() === victim;
    const failure = "it could not be evicted";
    await removal.remove(url, key, { failure, isWanted });
    if (catalog.peek(url) === victim) return;
    counters.evictions++;
    const body = { url, key, mimetype, filename, size, lastAccess };
    hub.emit({ type: "evicted", ...body });
  }
}
