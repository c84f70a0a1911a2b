import type { Catalog } from "../catalog/catalog.ts";
import type { Counters } from "../api/stats.ts";
import type { DiskErrors } from "../reporting/disk_errors.ts";
import {
  type Entry,
  type EntryFacts,
  occupiedBytesOf,
} from "../catalog/entry.ts";
import { inBlocks } from "../disk/blocks.ts";
import { keyOf } from "../text/key.ts";
import type { Leftovers } from "./leftovers.ts";
import { NO_ROOM_ON_DISK } from "../disk/staging_budget.ts";
import type { EventHub } from "../reporting/event_hub.ts";
import type { NoteStore } from "../notes/note_store.ts";
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
  /** The known leftovers. */
  readonly leftovers: Leftovers;
  /** The notes of URLs, which outlive an eviction. */
  readonly notes: NoteStore;
  /** Counts and reports disk errors. */
  readonly errors: DiskErrors;
  /** Emits events. */
  readonly hub: EventHub;
  /** The counters of the cache. */
  readonly counters: Counters;
}

/** The room on disk where `maxDiskBytes` is no limit. */
const UNLIMITED = { lacking: 0, most: 0 };

/** The caps that an {@linkcode Eviction} keeps. */
export interface EvictionCaps {
  /** Cap of the bodies of all entries, in bytes. */
  readonly maxBytes: number;
  /** Cap of all files of the directory, in bytes of whole blocks. */
  readonly maxDiskBytes: number;
}

/** Removes the least recently used entries from disk. */
export class Eviction {
  readonly #parts: EvictionParts;
  readonly #caps: EvictionCaps;
  readonly #otherBytes: () => number;

  /**
   * @param otherBytes Returns the bytes that all other files than those of entries will
   * take after the commit, staged bodies included.
   */
  constructor(
    parts: EvictionParts,
    caps: EvictionCaps,
    otherBytes: () => number,
  ) {
    this.#parts = parts;
    this.#caps = caps;
    this.#otherBytes = otherBytes;
  }

  /**
   * Evicts the victims that the catalog names, until a staged body has room to become an
   * entry. Each victim is looked at once more before its removal: if it was used
   * meanwhile, here or by another process, the catalog is asked again.
   *
   * @returns False if there can't be room on disk, or not yet: .part files of ended
   * processes will be gone within seconds, for which no entry needs to go.
   * @throws The file system's error, if too few victims can be removed.
   */
  async makeRoom(entry: EntryFacts): Promise<boolean> {
    const { catalog, errors, leftovers } = this.#parts;
    const { size, url } = entry;
    const { maxBytes, maxDiskBytes } = this.#caps;
    let pacer: Pacer | undefined;
    const failures = new Map<string, unknown>();
    for (;;) {
      const stuck = new Set(failures.keys());
      const { lacking, most } = maxDiskBytes === Infinity
        ? UNLIMITED
        : this.#roomOnDisk(entry);
      if (lacking > 0 && (lacking > most || leftovers.hasPassing)) {
        const key = keyOf(url);
        const reason = NO_ROOM_ON_DISK;
        this.#parts.hub.emit({ type: "uncached", url, key, reason });
        return false;
      }
      const victims = catalog.victims(size, url, maxBytes, stuck, lacking);
      if (victims === undefined) throw [...failures.values()][0];
      if (victims.length === 0) return true;
      pacer ??= new Pacer();
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

  /** The bytes on disk that entries must give back, and the most that they can. */
  #roomOnDisk(entry: EntryFacts): { lacking: number; most: number } {
    const { maxDiskBytes } = this.#caps;
    const { catalog } = this.#parts;
    const old = catalog.peek(entry.url);
    const most = catalog.occupiedBytes - (old ? occupiedBytesOf(old) : 0);
    // The staged file becomes the body of the entry.
    const more = occupiedBytesOf(entry) - inBlocks(entry.size);
    return { lacking: most + more + this.#otherBytes() - maxDiskBytes, most };
  }

  /**
   * Evicts an entry.
   *
   * @returns False when the victim was used meanwhile, and stays.
   * @throws The file system's error; one of the victim's two files may be gone then.
   */
  async #evict(victim: Entry, isUnused: () => boolean): Promise<boolean> {
    const { store, catalog, removal } = this.#parts;
    const { url, key } = victim;
    const facts = await store.bodyFacts(key);
    if (facts === undefined) {
      if (isUnused()) catalog.forget(url);
      return true;
    }
    if (facts.mtimeMs > victim.mtimeMs) {
      catalog.usedElsewhere(victim, facts.mtimeMs);
      return false;
    }
    const failure = "it could not be evicted";
    const options = { failure, isWanted: isUnused, known: victim };
    await removal.remove(url, key, options);
    if (catalog.peek(url) === victim) return false;
    this.#tell(victim);
    return true;
  }

  #tell({ url, key, mimetype, filename, size, lastAccess }: Entry): void {
    const { counters, hub, notes } = this.#parts;
    counters.evictions++;
    if (notes.isWatching) notes.evicted(key);
    if (!hub.listening) return;
    const body = { url, key, mimetype, filename, size, lastAccess };
    hub.emit({ type: "evicted", ...body });
  }
}
