import type { Catalog } from "../catalog/catalog.ts";
import type { Counters } from "../api/stats.ts";
import { datName } from "../disk/file_names.ts";
import type { DiskErrors } from "../reporting/disk_errors.ts";
import type { Entry } from "../catalog/entry.ts";
import type { EventHub } from "../reporting/event_hub.ts";
import type { PairStore } from "../disk/pair_store.ts";
import type { Removal } from "./removal.ts";
import { Pacer } from "../async/pacer.ts";

/** The parts of the cache that an {@linkcode Eviction} works on. */
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
   * Evicts what the catalog names until there is room for an entry of `size` bytes
   * under `url`. Each victim is looked at once more before it goes; where it was
   * used meanwhile, here or by another process, the catalog is asked again.
   *
   * @throws The file system's error, if it lets too few of them go.
   */
  async makeRoom(size: number, url: string): Promise<void> {
    const { catalog, errors } = this.#parts;
    const pacer = new Pacer();
    const failures = new Map<string, unknown>();
    for (;;) {
      const stuck = new Set(failures.keys());
      const victims = catalog.victims(size, url, this.#maxBytes, stuck);
      if (victims === undefined) throw [...failures.values()][0];
      if (victims.length === 0) return;
      const uses = victims.map(({ lastAccess }) => lastAccess);
      for (const [i, victim] of victims.entries()) {
        if (pacer.due) await pacer.yield();
        const isUnused = () =>
          victim.lastAccess === uses[i] &&
          catalog.peek(victim.url) === victim;
        try {
          if (!await this.#evict(victim, isUnused)) break;
        } catch (error) {
          errors.report("evict an entry", error);
          failures.set(victim.key, error);
        }
      }
    }
  }

  /**
   * Evicts an entry.
   *
   * @returns False when it was used meanwhile, and stays.
   * @throws The file system's error; then it may have been evicted half-way.
   */
  async #evict(victim: Entry, isUnused: () => boolean): Promise<boolean> {
    const { store, catalog, removal } = this.#parts;
    const { url, key } = victim;
    const facts = await store.facts(datName(key));
    if (!isUnused()) return false;
    if (facts === undefined) {
      catalog.forget(url);
      return true;
    }
    if (facts.mtimeMs > victim.mtimeMs) {
      catalog.usedElsewhere(victim, facts.mtimeMs);
      return false;
    }
    const failure = "it could not be evicted";
    await removal.remove(url, key, { failure, isWanted: isUnused });
    if (catalog.peek(url) === victim) return false;
    this.#tell(victim);
    return true;
  }

  #tell({ url, key, mimetype, filename, size, lastAccess }: Entry): void {
    const { counters, hub } = this.#parts;
    counters.evictions++;
    const body = { url, key, mimetype, filename, size, lastAccess };
    hub.emit({ type: "evicted", ...body });
  }
}
