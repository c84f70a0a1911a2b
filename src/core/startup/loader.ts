import type { OpenCalls } from "../async/open_calls.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { DiskErrors } from "../reporting/disk_errors.ts";
import type { PairStore } from "../disk/pair_store.ts";
import type { EventHub } from "../reporting/event_hub.ts";
import type { OrphanSweeper } from "./orphan_sweeper.ts";
import type { WriteTurns } from "../entries/write_turns.ts";
import type { Background } from "../async/background.ts";
import { CacheClosedError, MediaCacheError } from "../api/errors.ts";
import { isTransient } from "../disk/disk_fault.ts";
import type { IndexReader } from "../index/index_file.ts";
import type { IndexKeeper } from "../index/index_keeper.ts";
import type { DirectoryReconciler } from "./reconciler.ts";
import type { Leftover } from "../entries/leftovers.ts";
import { scan } from "../entries/scan.ts";
import type { Touches } from "../catalog/touches.ts";
import { Pacer } from "../async/pacer.ts";

/** What loading works on. */
export interface LoaderParts {
  /** The files of the directory. */
  readonly store: PairStore;
  /** What is known of the entries. */
  readonly catalog: Catalog;
  /** The turns of those who change names. */
  readonly writes: WriteTurns;
  /** Calls that use the disk. */
  readonly calls: OpenCalls;
  /** Removes leftovers in time. */
  readonly sweeper: OrphanSweeper;
  /** Where events go. */
  readonly hub: EventHub;
  /** Where failures go. */
  readonly errors: DiskErrors;
  /** What keeps the index on disk. */
  readonly keeper: IndexKeeper;
  /** What compares it with the directory. */
  readonly reconciler: DirectoryReconciler;
  /** What notes uses. */
  readonly touches: Touches;
  /** The pace of what nobody waits for. */
  readonly background: Background;
}

/**
 * Fills the catalog: from the index on disk, if there is one that is true, or else
 * from all sidecars. With an index the cache is usable when that has counted the
 * entries; the rest follows in the background, and those who need it wait: for the
 * entries themselves, or until they were compared with the directory.
 */
export class Loader {
  readonly #parts: LoaderParts;
  readonly #readOnly: boolean;
  #opening: Promise<void> | undefined;
  #isOpen = false;
  #loading: Promise<void> | undefined;
  #hydrating = Promise.resolve();
  #comparing: Promise<void> | undefined;
  #isWhole = false;
  /** When the index was read, if there was one. */
  #indexedAt = 0;

  /** Works on these parts; a `readOnly` cache writes nothing. */
  constructor(parts: LoaderParts, readOnly: boolean) {
    this.#parts = parts;
    this.#readOnly = readOnly;
  }

  /** Whether all that lies in the directory is known. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /**
   * Sees whether the directory can be used, and counts its entries; concurrent
   * calls share one look. A fault that may pass is only reported, and looked at
   * again by the next call.
   *
   * @throws {MediaCacheError} If the directory can't be used.
   */
  ensureLoaded(): Promise<void> {
    return this.#opening ??= this.#open().finally(() => {
      if (!this.#isOpen) this.#opening = undefined;
    });
  }

  /** Counts the entries; concurrent calls share one scan. Rejects when it can't. */
  load(): Promise<void> {
    return this.#loading ??= this.#load().catch((error) => {
      this.#loading = undefined;
      throw error;
    });
  }

  /**
   * Waits until all that lies in the directory is known.
   *
   * @throws {CacheClosedError} If the cache is closed before that.
   */
  async whole(): Promise<void> {
    await this.load();
    if (this.#isWhole) return;
    this.#comparing ??= this.#compare();
    await this.#parts.background.awaited(this.#comparing);
  }

  /** The same, but begins nothing and does not reject. */
  async settled(): Promise<void> {
    if (this.#loading !== undefined) await this.whole().catch(() => {});
  }

  /** Waits until the catalog lists all entries that it counts. */
  async hydrated(): Promise<void> {
    await this.#parts.background.awaited(this.#hydrating);
  }

  /** Reads the whole directory into the catalog, which may know it already. */
  scan(onLeftover: (leftover: Leftover) => void): Promise<void> {
    const { store, catalog, writes } = this.#parts;
    return scan(store, catalog.keyChanges, {
      onEntry: (entry) => catalog.discover(entry),
      onLeftover: (leftover) => this.#add(leftover, onLeftover),
      undisturbed: (look) => writes.undisturbed(look),
    });
  }

  /** Ends the work in the background. Nothing may be stored meanwhile. */
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
    // Where the directory could not be made there is nothing to load.
    this.#isOpen = store.ready &&
      await this.#succeeds(
        "list the directory",
        () => this.load(),
      ) && isWritable;
  }

  /**
   * Runs a step of opening; false where a fault that may pass has ended it.
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
    const { store, catalog, hub } = this.#parts;
    const start = performance.now();
    await store.prepare();
    let reader: IndexReader | undefined;
    try {
      reader = await this.#takeUp();
      if (reader === undefined) await this.scan((it) => this.#tell(it));
    } catch (error) {
      throw store.unusable(error);
    }
    if (reader === undefined) {
      await catalog.sort(new Pacer());
      await this.#finish();
    } else this.#goOn(reader);
    hub.emit({
      type: "loaded",
      entries: catalog.entries,
      totalBytes: catalog.totalBytes,
      durationMs: performance.now() - start,
    });
  }

  /** Counts what the index tells of, if it is true. */
  async #takeUp(): Promise<IndexReader | undefined> {
    const { keeper, catalog, writes } = this.#parts;
    const reader = await keeper.open();
    if (reader === undefined) {
      await writes.start();
      return undefined;
    }
    const { place, pending } = reader;
    let isKnown = false;
    try {
      isKnown = await writes.start({
        place,
        takeUp: () => {
          keeper.tookUp();
          catalog.expect(pending);
        },
      });
    } finally {
      if (!isKnown) {
        catalog.settle();
        await catalog.confirm(new Pacer());
        reader.close();
      }
    }
    return isKnown ? reader : undefined;
  }

  /** Does in the background what is left to do after an index was taken up. */
  #goOn(reader: IndexReader): void {
    const { errors } = this.#parts;
    this.#indexedAt = reader.openedAt;
    this.#hydrating = this.#hydrate(reader);
    this.#comparing = this.#compare();
    this.#comparing.catch((error) => {
      if (error instanceof CacheClosedError) return;
      errors.report("compare the index", error);
    });
  }

  /** Compares what the index told of with the directory, as often as that fails. */
  async #compare(): Promise<void> {
    const { reconciler, background, catalog, writes } = this.#parts;
    await this.#hydrating;
    try {
      await reconciler.compare(
        background,
        this.#indexedAt,
        // Others may be waiting for their turn.
        (task) => background.awaited(writes.withoutLock(task)),
        {
          onLeftover: (leftover) => this.#add(leftover, (it) => this.#tell(it)),
          undisturbed: (look) => background.awaited(writes.undisturbed(look)),
        },
      );
      catalog.settle();
      await catalog.confirm(background);
    } catch (error) {
      this.#comparing = undefined;
      throw error;
    }
    await this.#finish();
  }

  /** Reads all records. Those that are damaged are found in the directory later. */
  async #hydrate(reader: IndexReader): Promise<void> {
    const { background, keeper, catalog, errors } = this.#parts;
    try {
      for (let block = 0; block < reader.blocks; block++) {
        if (background.due) await background.yield();
        const entries = await reader.read(block);
        if (entries === undefined) return keeper.lost();
        for (const [i, entry] of entries.entries()) {
          catalog.hydrate(reader.ordinalOf(block) + i, entry);
        }
      }
      catalog.settle();
    } catch (error) {
      if (error instanceof CacheClosedError) return;
      keeper.lost();
      errors.report("read the index", error);
    } finally {
      reader.close();
    }
  }

  /** All is known. */
  async #finish(): Promise<void> {
    const { touches, keeper, catalog, sweeper } = this.#parts;
    this.#isWhole = true;
    if (this.#readOnly) return;
    touches.adopt(catalog.list());
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
