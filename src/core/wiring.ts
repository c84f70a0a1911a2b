import { inBlocks } from "./disk/blocks.ts";
import { Background } from "./async/background.ts";
import { Calls } from "./async/open_calls.ts";
import { Catalog } from "./catalog/catalog.ts";
import { ChangeLog } from "./sharing/change_log.ts";
import { CHANGES_NAME } from "./disk/file_names.ts";
import { type Commission, Committer } from "./entries/commit.ts";
import { Commits } from "./catalog/commits.ts";
import { DiskErrors } from "./reporting/disk_errors.ts";
import { DiskStore } from "./disk/pair_store.ts";
import type { DiskTier } from "./disk_tier.ts";
import { DownloadClaims } from "./sharing/download_claims.ts";
import type { Entry } from "./catalog/entry.ts";
import type { EntryInfo } from "./api/entry_info.ts";
import type { EventHub } from "./reporting/event_hub.ts";
import type { DiskFile } from "./disk/disk_file.ts";
import { FileSystem } from "./disk/file_system.ts";
import { IndexFile } from "./index/index_file.ts";
import { IndexKeeper } from "./index/index_keeper.ts";
import { keyOf } from "./text/key.ts";
import { Loader } from "./startup/loader.ts";
import { type Located, Locator } from "./entries/lookup.ts";
import type { MediaBody } from "./bodies/media_body.ts";
import { OpenFiles, type SharedFile } from "./disk/open_files.ts";
import { type Opened, Opener } from "./entries/opener.ts";
import type { ResolvedOptions } from "./api/resolved_options.ts";
import { Orphans } from "./startup/orphan_sweeper.ts";
import { isTransient } from "./disk/disk_fault.ts";
import { MediaCacheError } from "./api/errors.ts";
import { probe } from "./disk/probe.ts";
import { DirectoryReconciler } from "./startup/reconciler.ts";
import { pairOf } from "./disk/file_names.ts";
import { removeEntry } from "./entries/removal.ts";
import { areSameState } from "./disk/file_identity.ts";
import type { Counters } from "./api/stats.ts";
import type { StagedFile } from "./disk/staged_file.ts";
import { fileBody } from "./bodies/stored_body.ts";
import { Touches } from "./catalog/touches.ts";
import { Turns } from "./async/turns.ts";
import { verify } from "./entries/verify.ts";
import type { VerifyOptions } from "./api/call_options.ts";
import type { VerifyReport } from "./api/verify_report.ts";
import { Writes } from "./entries/write_turns.ts";

/** The memory tier and the disk tier, under one catalog and one budget. */
export class Tiers {
  /** Where failures of the file system go. */
  readonly errors: DiskErrors;
  /** Which process downloads what. */
  readonly claims: DownloadClaims;
  readonly #tier: DiskTier;
  readonly #opener: Opener;
  readonly #locator: Locator;
  readonly #committer: Committer;
  readonly #touches: Touches;
  readonly #loader: Loader;
  readonly #keeper: IndexKeeper;
  readonly #index: IndexFile;
  readonly #log: ChangeLog;
  #opening: Promise<void> | undefined;
  #isOpen = false;

  /** Reads nothing yet. */
  constructor(options: ResolvedOptions, hub: EventHub, counters: Counters) {
    const errors = this.errors = new DiskErrors(hub, counters);
    const fs = new FileSystem((operation, error) =>
      errors.refused(operation, error)
    );
    const store = new DiskStore(fs, options);
    const mayStage = !options.readOnly && options.maxEntryBytes > 0;
    this.claims = new DownloadClaims(fs, store, mayStage);
    const log = this.#log = new ChangeLog(
      fs,
      store.path(CHANGES_NAME),
      () => store.sparePath(),
      options.readOnly,
      (error) => errors.report("lock the directory", error),
    );
    const reconciler = new DirectoryReconciler(() => this.#tier);
    const writes = new Writes(log, reconciler);
    this.#touches = new Touches((entry, timeMs) => this.#touch(entry, timeMs));
    const tier = () => this.#tier;
    const background = new Background();
    const index = this.#index = new IndexFile(fs, (name) => store.path(name));
    const keeper = this.#keeper = new IndexKeeper(index, background, tier);
    const touches = this.#touches;
    this.#loader = new Loader({
      tier,
      keeper,
      reconciler,
      touches,
      background,
    });
    this.#tier = {
      options,
      fs,
      store,
      catalog: new Catalog({
        maxItems: options.maxMemoryItems,
        maxBytes: options.maxMemoryBytes,
        maxItemBytes: options.maxMemoryItemBytes,
      }, options.readOnly ? undefined : this.#touches),
      files: new OpenFiles(fs, (error) => errors.report("read a body", error)),
      orphans: new Orphans(fs, store, writes, errors),
      hydrated: () => this.#loader.hydrated(),
      writes,
      commits: new Commits(),
      calls: new Calls(),
      errors,
      hub,
      counters,
    };
    this.#opener = new Opener(this.#tier);
    this.#locator = new Locator(this.#tier, this.#opener, this.#onServed);
    this.#committer = new Committer(this.#tier);
  }

  /** The files of the disk tier. */
  get store(): DiskStore {
    return this.#tier.store;
  }

  /** What is known without asking the disk. */
  get catalog(): Catalog {
    return this.#tier.catalog;
  }

  /**
   * About what the directory takes on disk, in bytes: all but the bodies that are
   * being staged here.
   */
  get occupiedBytes(): number {
    const { catalog, orphans } = this.#tier;
    return catalog.occupiedBytes + orphans.occupiedBytes +
      inBlocks(this.#index.bytes) + inBlocks(this.#log.bytes);
  }

  /** See {@linkcode Refusals.list}. */
  get refused(): readonly string[] {
    return this.#tier.fs.refusals.list;
  }

  /** Bytes of leftovers. */
  get orphanBytes(): number {
    return this.#tier.orphans.bytes;
  }

  /** See {@linkcode Loader.isWhole}. */
  get isWhole(): boolean {
    return this.#loader.isWhole;
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

  /** See {@linkcode Loader.whole}. */
  whole(): Promise<void> {
    return this.#loader.whole();
  }

  /** Learns what other processes have changed; a disk that fails is not counted. */
  lookForChanges(): Promise<void> {
    return this.#opener.catchUp(() => {});
  }

  /** See {@linkcode Locator.recall}. */
  recall(url: string): Located | undefined {
    return this.#locator.recall(url);
  }

  /** See {@linkcode Locator.locate}. */
  locate(url: string): Promise<Located | undefined> {
    return this.#locator.locate(url);
  }

  /** See {@linkcode Locator.open}. */
  open(url: string): Promise<Opened | undefined> {
    return this.#locator.open(url);
  }

  /** The same, also when another process is in the midst of its commit. */
  async openSettled(url: string): Promise<Opened | undefined> {
    const { calls, fs, store, writes } = this.#tier;
    // The body comes first and goes last.
    if (!await fs.seems(store.datPath(keyOf(url)))) return undefined;
    const opened = await this.open(url);
    if (opened !== undefined) return opened;
    try {
      await calls.run(() => writes.run(() => Promise.resolve()));
    } catch {
      return undefined;
    }
    return await this.open(url);
  }

  /** See {@linkcode Locator.peek}. */
  peek(key: string): Promise<Located | undefined> {
    return this.#locator.peek(key);
  }

  /** See {@linkcode Locator.info}. */
  info(key: string): Promise<EntryInfo | undefined> {
    return this.#locator.info(key);
  }

  /** See {@linkcode probe}. */
  probe(): Promise<string | undefined> {
    return this.#tier.calls.run(() => probe(this.store));
  }

  /** See {@linkcode Locator.has}. */
  has(url: string): Promise<boolean> {
    return this.#locator.has(url);
  }

  /** See {@linkcode Locator.use}. */
  async use(url: string): Promise<boolean> {
    if (await this.#locator.use(url)) return true;
    // An index may tell of it still, and must not seem to have stored it later.
    this.catalog.forgetPending(keyOf(url));
    return false;
  }

  /** See {@linkcode Locator.urlOf}. */
  urlOf(key: string): Promise<string | undefined> {
    return this.#locator.urlOf(key);
  }

  /**
   * Makes a staged body an entry, evicting others to make room.
   *
   * @returns The file, held for the caller, who must release it; undefined when
   * the body was not stored, and the staged file is still the caller's.
   */
  async commit(commission: Commission): Promise<SharedFile | undefined> {
    try {
      // What nobody knows of would count for no budget.
      await this.whole();
      return await this.#tier.writes.run(async () => {
        if (commission.wanted?.() === false) return undefined;
        const { commits } = this.#tier;
        const { url } = commission.description;
        const commit = () => this.#committer.commit(commission);
        return await commits.run(url, commit);
      }).finally(() => this.#keeper.keep());
    } catch (error) {
      // One that was deleted meanwhile may have lost its name.
      if (commission.wanted?.() === false) return undefined;
      this.errors.report("store an entry", error);
    }
    return undefined;
  }

  /** Shares a staged body that could not be committed; its name goes. */
  async adoptUnstored(staged: StagedFile): Promise<SharedFile> {
    const { files } = this.#tier;
    const file = files.adopt(staged.path, 0, staged.file);
    file.hold(true);
    await files.rescue(staged.path);
    await staged.discard();
    return file;
  }

  /**
   * Shares the file of a download that another process ran, `share` being told in
   * the moment in which it may no longer be read by itself.
   */
  async adoptFollowed(
    url: string,
    file: DiskFile,
    share: (file: SharedFile) => void,
  ): Promise<void> {
    const { files, store } = this.#tier;
    const path = store.datPath(keyOf(url));
    const isStored = await this.isStored(url, file.inode);
    const shared = files.adopt(path, file.inode, file);
    shared.hold(true);
    share(shared);
    if (!isStored) await files.rescue(path);
    shared.release(true);
  }

  /** Whether the body of an entry is that file. */
  async isStored(url: string, inode: number): Promise<boolean> {
    const { fs, store } = this.#tier;
    try {
      const facts = await fs.facts(store.datPath(keyOf(url)));
      return facts?.inode === inode && await this.#locator.has(url);
    } catch {
      return false;
    }
  }

  /** The body of a shared file, held for a Media. */
  sharedBody(file: SharedFile, size: number): MediaBody {
    return fileBody(this.#tier.files, file, size, this.#onServed);
  }

  /** Holds a shared file for the Media of a download that has ended. */
  claim(file: SharedFile): { release(): void } {
    return this.#tier.files.claim(file);
  }

  /** Removes an entry; true when there was one. */
  delete(url: string): Promise<boolean> {
    const { calls, options, writes } = this.#tier;
    return calls.run(async () => {
      try {
        await this.store.prepare();
        if (options.readOnly) return false;
        await this.#loader.hydrated();
        return await writes.run(() => this.#delete(url));
      } catch (error) {
        this.errors.report("delete an entry", error);
        return false;
      }
    });
  }

  /** Removes all entries, those of other processes and of earlier days included. */
  clear(): Promise<void> {
    const { calls, catalog, store, writes } = this.#tier;
    const deleteKnown = async () => {
      const turns = new Turns();
      for (const { url } of catalog.list()) {
        await this.delete(url);
        if (turns.due) await turns.next();
      }
    };
    return calls.run(async () => {
      await this.#loader.settled();
      await deleteKnown();
      try {
        await store.prepare();
        await writes.alone(() => this.#loader.scan(() => {}));
      } catch (error) {
        this.errors.report("list the directory", error);
      }
      await deleteKnown();
      await this.#keeper.forget();
    });
  }

  /** Checks all files; with `fix`, removes what is wrong. */
  verify(options: VerifyOptions): Promise<VerifyReport> {
    return this.#tier.calls.run(async () => {
      await this.#loader.settled();
      return await verify(options, this.#tier);
    });
  }

  /** Writes what is pending and lets go of all that nobody reads. */
  async close(): Promise<void> {
    const { calls, orphans, writes, files } = this.#tier;
    const stopped = this.#loader.stop();
    await calls.end();
    orphans.stop();
    await stopped;
    // The work in the background may have come to them only now.
    orphans.stop();
    await writes.alone(() => this.#touches.flush());
    if (this.#loader.isWhole) await this.#keeper.save();
    await writes.close();
    files.closeUnread();
  }

  async #open(): Promise<void> {
    const { calls, store } = this.#tier;
    const isWritable = await this.#succeeds(
      "write to the directory",
      () => calls.run(() => store.probe()),
    );
    // Where the directory could not be made there is nothing to load.
    this.#isOpen = store.ready &&
      await this.#succeeds(
        "list the directory",
        () => this.#loader.load(),
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
        throw isOurs ? error : this.store.unusable(error);
      }
      this.errors.report(operation, error);
      return false;
    }
  }

  readonly #onServed = (bytes: number) => {
    this.#tier.counters.bytesServed += bytes;
  };

  async #delete(url: string): Promise<boolean> {
    const { catalog, orphans, hub } = this.#tier;
    const key = keyOf(url);
    const known = catalog.peek(url);
    const failure = "it could not be deleted";
    const removed = await removeEntry(this.#tier, url, key, { failure });
    orphans.forget(pairOf(key));
    if (!removed && known === undefined) return false;
    const size = known?.size ?? 0;
    hub.emit({ type: "deleted", time: Date.now(), url, key, size });
    return true;
  }

  async #touch(entry: Entry, timeMs: number): Promise<void> {
    const { fs, store, catalog } = this.#tier;
    if (catalog.peek(entry.url) !== entry) return;
    try {
      const facts = await fs.facts(store.datPath(entry.key));
      // It is gone, or a link by now, whose target is not ours.
      if (facts === undefined) return;
      const isKnown = areSameState(facts, entry);
      // Another process may have used it after us.
      const isLater = facts.mtimeMs > timeMs && facts.mtimeMs <= Date.now();
      if (!isKnown && isLater) return;
      // Where it may be another's by now, the next lookup will tell.
      if (await store.touch(entry.key, timeMs) && isKnown) {
        entry.mtimeMs = timeMs;
      }
    } catch (error) {
      this.errors.report("note a use", error);
    }
  }
}
