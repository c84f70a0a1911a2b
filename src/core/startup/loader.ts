import type { OpenCalls } from "../async/open_calls.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { DiskErrors } from "../reporting/disk_errors.ts";
import type { PairStore } from "../disk/pair_store.ts";
import type { EventHub } from "../reporting/event_hub.ts";
import type { LeftoverSweeper } from "./leftover_sweeper.ts";
import type { WriteTurns } from "../entries/write_turns.ts";
import type { Background } from "../async/background.ts";
import { CacheClosedError, MediaCacheError } from "../api/errors.ts";
import { isTransient } from "../disk/disk_fault.ts";
import type { IndexKeeper } from "../index/index_keeper.ts";
import type { DirectoryReconciler } from "./reconciler.ts";
import type { Leftover } from "../entries/leftovers.ts";
import { scan } from "../entries/scan.ts";
import type { NoteStore } from "../notes/note_store.ts";
import type { Touches } from "../catalog/touches.ts";
import { Pacer } from "../async/pacer.ts";

/** The parts of the cache that a {@linkcode Loader} works on. */
export interface LoaderParts {
  /** The files of the directory. */
  readonly store: PairStore;
  /** The known entries. */
  readonly catalog: Catalog;
  /** Turns for changes of names in the directory. */
  readonly writes: WriteTurns;
  /** Counts the calls that use the disk. */
  readonly calls: OpenCalls;
  /** Removes leftovers when they are old enough. */
  readonly sweeper: LeftoverSweeper;
  /** Emits events. */
  readonly hub: EventHub;
  /** Counts and reports disk errors. */
  readonly errors: DiskErrors;
  /** Reads and writes the index. */
  readonly keeper: IndexKeeper;
  /** Compares the entries of the index with the directory. */
  readonly reconciler: DirectoryReconciler;
  /** Writes uses to disk. */
  readonly touches: Touches;
  /** The notes of URLs. */
  readonly notes: NoteStore;
  /** Paces background work. */
  readonly background: Background;
}

/**
 * Fills the catalog from the index on disk, or from all sidecars if no index can be
 * trusted. With an index all entries count at once, and a store need not wait. In the
 * background the entries are compared with the directory, for calls that need to know all.
 */
export class Loader {
  readonly #parts: LoaderParts;
  readonly #readOnly: boolean;
  #opening: Promise<void> | undefined;
  #isOpen = false;
  #loading: Promise<void> | undefined;
  #comparing: Promise<void> | undefined;
  /** When the index was opened (ms since the epoch), if there was one. */
  #indexedAt = 0;

  /** A `readOnly` cache writes nothing. */
  constructor(parts: LoaderParts, readOnly: boolean) {
    this.#parts = parts;
    this.#readOnly = readOnly;
  }

  /**
   * Checks that the directory can be used, and counts its entries; concurrent calls
   * share one load. A fault that may pass is only reported, and the next call tries
   * again.
   *
   * @throws {MediaCacheError} If the directory can't be used.
   */
  ensureLoaded(): Promise<void> {
    return this.#opening ??= this.#open().finally(() => {
      if (!this.#isOpen) this.#opening = undefined;
    });
  }

  /** Counts the entries; concurrent calls share one scan. Rejects if the scan fails. */
  load(): Promise<void> {
    return this.#loading ??= this.#load().catch((error) => {
      this.#loading = undefined;
      throw error;
    });
  }

  /**
   * Waits until all entries count for the budget, by the index and the list of changes,
   * or by the directory.
   */
  async ready(): Promise<void> {
    if (this.#parts.catalog.isComplete) return;
    await this.load();
    if (!this.#parts.catalog.isComplete) this.#compareBehind();
  }

  /**
   * Waits until all entries in the directory are known.
   *
   * @throws {CacheClosedError} If the cache is closed before that.
   */
  async completed(): Promise<void> {
    await this.load();
    if (this.#parts.catalog.isComplete) return;
    this.#comparing ??= this.#compare();
    await this.#parts.background.awaited(this.#comparing);
  }

  /**
   * Waits until all entries are known, those that other processes have stored included. A
   * disk fault only makes some unknown, and is not counted here: `probe()` tells why.
   *
   * @throws {CacheClosedError} If the cache is closed before that.
   */
  async caughtUp(): Promise<void> {
    const { calls, store, writes } = this.#parts;
    try {
      await this.completed();
    } catch (error) {
      if (error instanceof CacheClosedError) throw error;
    }
    if (!store.ready) return;
    await calls.run(() => writes.catchUp(() => {})).catch(() => {});
  }

  /** Waits for the end of a load that has begun; never rejects. */
  async settled(): Promise<void> {
    if (this.#loading !== undefined) await this.completed().catch(() => {});
  }

  /** Reads the whole directory into the catalog, also if it is known already. */
  scan(onLeftover: (leftover: Leftover) => void): Promise<void> {
    const { store, catalog, writes, notes } = this.#parts;
    return scan(store, catalog.keyChanges, {
      onEntry: (entry) => catalog.addIfUnknown(entry),
      onLeftover: (leftover) => this.#add(leftover, onLeftover),
      onNotes: (keys) => notes.listed(keys),
      undisturbed: (look) => writes.undisturbed(look),
    });
  }

  /** Ends the background work. Nothing may be stored meanwhile. */
  async stop(): Promise<void> {
    this.#parts.background.stop();
    await this.#loading?.catch(() => {});
    await this.#comparing?.catch(() => {});
  }

  async #open(): Promise<void> {
    const { calls, store } = this.#parts;
    const isWritable = await this.#succeeds(
      "write to the directory",
      () => calls.run(() => store.probe()),
    );
    // Without a directory there is nothing to load.
    this.#isOpen = store.ready &&
      await this.#succeeds(
        "list the directory",
        () => this.load(),
      ) && isWritable;
  }

  /**
   * Runs a step of opening; false if a fault that may pass has ended it.
   *
   * @throws {MediaCacheError} If the directory can't be used.
   */
  async #succeeds(
    operation: string,
    step: () => Promise<void>,
  ): Promise<boolean> {
    try {
      await step();
      return true;
    } catch (error) {
      const isOurs = error instanceof MediaCacheError;
      if (!isTransient(isOurs ? error.cause : error)) {
        throw isOurs ? error : this.#parts.store.unusable(error);
      }
      this.#parts.errors.report(operation, error);
      return false;
    }
  }

  async #load(): Promise<void> {
    const { store, catalog, keeper, hub } = this.#parts;
    const start = performance.now();
    await store.prepare();
    let isIndexed: boolean;
    try {
      isIndexed = await this.#takeUp();
      if (!isIndexed) {
        await catalog.whileUnordered(
          new Pacer(),
          () => this.scan((leftover) => this.#tell(leftover)),
        );
      }
    } catch (error) {
      throw store.unusable(error);
    }
    if (!isIndexed) await this.#finish();
    catalog.isCounted = true;
    if (isIndexed) {
      this.#compareBehind();
      keeper.keep();
    }
    hub.emit({
      type: "loaded",
      entries: catalog.entries,
      totalBytes: catalog.totalBytes,
      durationMs: performance.now() - start,
    });
  }

  /** Takes in the entries of the index; false if there is no index that can be trusted. */
  async #takeUp(): Promise<boolean> {
    const { keeper, catalog, writes } = this.#parts;
    const saved = await keeper.open();
    if (saved === undefined) {
      await writes.start();
      return false;
    }
    const { place, entries } = saved;
    let isKnown = false;
    try {
      isKnown = await writes.start({
        place,
        takeUp: () => {
          keeper.tookUp();
          catalog.takeUp(entries);
        },
      });
    } finally {
      if (!isKnown) {
        catalog.dropPacked();
        keeper.close();
      }
    }
    this.#indexedAt = entries.readAt;
    return isKnown;
  }

  /** Begins the comparison, unless it runs already. */
  #compareBehind(): void {
    if (this.#comparing !== undefined) return;
    this.#comparing = this.#compare();
    this.#comparing.catch((error) => {
      if (error instanceof CacheClosedError) return;
      this.#parts.errors.report("compare the index", error);
    });
  }

  /** Compares the entries of the index with the directory, again and again while that fails. */
  async #compare(): Promise<void> {
    const { reconciler, background, catalog, writes, notes } = this.#parts;
    try {
      await catalog.whileUnordered(
        background,
        () =>
          reconciler.compare(background, this.#indexedAt, {
            onLeftover: (leftover) =>
              this.#add(leftover, (it) => this.#tell(it)),
            onNotes: (keys) => notes.listed(keys),
            // A turn for waiting tasks.
            undisturbed: (look) => background.awaited(writes.undisturbed(look)),
          }),
      );
    } catch (error) {
      this.#comparing = undefined;
      throw error;
    }
    await this.#finish();
  }

  /** Notes that all entries are known. */
  async #finish(): Promise<void> {
    const { touches, keeper, catalog, sweeper } = this.#parts;
    catalog.isComplete = true;
    if (this.#readOnly) return;
    touches.adopt();
    await sweeper.sweep();
    await keeper.tidy();
    keeper.keep();
  }

  #add(leftover: Leftover, onLeftover: (leftover: Leftover) => void): void {
    const { errors, sweeper } = this.#parts;
    const { error, ...rest } = leftover;
    if (error !== undefined) errors.report("read an entry", error);
    sweeper.add(rest);
    onLeftover(rest);
  }

  #tell({ names, reason }: Leftover): void {
    const { store, hub } = this.#parts;
    const path = store.path(names[0] ?? "");
    hub.emit({ type: "skipped", path, reason });
  }
}
