import type { Background } from "../async/background.ts";
import type { DiskTier } from "../disk_tier.ts";
import { CacheClosedError } from "../api/errors.ts";
import type { IndexReader } from "../index/index_file.ts";
import type { IndexKeeper } from "../index/index_keeper.ts";
import type { DirectoryReconciler } from "./reconciler.ts";
import type { Leftover } from "../entries/leftovers.ts";
import { scan } from "./scan.ts";
import type { Touches } from "../catalog/touches.ts";
import { Turns } from "../async/turns.ts";

/** What loading needs besides the disk tier. */
export interface LoaderParts {
  /** The disk tier. */
  readonly tier: () => DiskTier;
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
  #loading: Promise<void> | undefined;
  #hydrating = Promise.resolve();
  #comparing: Promise<void> | undefined;
  #isWhole = false;
  /** When the index was read, if there was one. */
  #indexedAt = 0;

  /** Loads nothing yet. */
  constructor(parts: LoaderParts) {
    this.#parts = parts;
  }

  /** Whether all that lies in the directory is known. */
  get isWhole(): boolean {
    return this.#isWhole;
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
    const { fs, store, catalog } = this.#parts.tier();
    return catalog.whileScanning(() =>
      scan(fs, store, {
        onEntry: (entry) => catalog.discover(entry),
        onLeftover: (leftover) => this.#add(leftover, onLeftover),
      })
    );
  }

  /** Ends the work in the background. Nothing may be stored meanwhile. */
  async stop(): Promise<void> {
    this.#parts.background.stop();
    await this.#loading?.catch(() => {});
    await this.#comparing?.catch(() => {});
  }

  async #load(): Promise<void> {
    const { store, catalog, hub } = this.#parts.tier();
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
      await catalog.sort(new Turns());
      await this.#finish();
    } else this.#goOn(reader);
    hub.emit({
      type: "loaded",
      time: Date.now(),
      entries: catalog.entries,
      totalBytes: catalog.totalBytes,
      durationMs: performance.now() - start,
    });
  }

  /** Counts what the index tells of, if it is true. */
  async #takeUp(): Promise<IndexReader | undefined> {
    const { keeper, tier } = this.#parts;
    const { catalog, writes } = tier();
    const reader = await keeper.open();
    if (reader === undefined) {
      await writes.begin();
      return undefined;
    }
    const { place, pending } = reader;
    let isKnown = false;
    try {
      isKnown = await writes.begin({
        place,
        takeUp: () => {
          keeper.tookUp();
          catalog.expect(pending);
        },
      });
    } finally {
      if (!isKnown) {
        catalog.settle();
        await catalog.confirm(new Turns());
        reader.close();
      }
    }
    return isKnown ? reader : undefined;
  }

  /** Does in the background what is left to do after an index was taken up. */
  #goOn(reader: IndexReader): void {
    const { errors } = this.#parts.tier();
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
    const { tier, reconciler, background } = this.#parts;
    const { catalog, writes } = tier();
    await this.#hydrating;
    try {
      await reconciler.compare(
        background,
        this.#indexedAt,
        // Others may be waiting for their turn.
        (task) => background.awaited(writes.alone(task)),
        (leftover) => this.#add(leftover, (it) => this.#tell(it)),
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
    const { tier, background, keeper } = this.#parts;
    const { catalog, errors } = tier();
    try {
      for (let block = 0; block < reader.blocks; block++) {
        if (background.due) await background.next();
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
    const { tier, touches, keeper } = this.#parts;
    const { catalog, orphans, options } = tier();
    this.#isWhole = true;
    if (options.readOnly) return;
    touches.adopt(catalog.list());
    await orphans.sweep();
    await keeper.tidy();
    keeper.keep();
  }

  #add(leftover: Leftover, onLeftover: (leftover: Leftover) => void): void {
    const { errors, orphans } = this.#parts.tier();
    const { error, ...rest } = leftover;
    if (error !== undefined) errors.report("read an entry", error);
    orphans.add(rest);
    onLeftover(rest);
  }

  #tell({ names, reason }: Leftover): void {
    const { store, hub } = this.#parts.tier();
    const path = store.path(names[0] ?? "");
    hub.emit({ type: "skipped", time: Date.now(), path, reason });
  }
}
