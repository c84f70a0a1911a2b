import { Catalog } from "./catalog.ts";
import { gather } from "./byte_reader.ts";
import { DiskStore, type StagedFile } from "./disk_store.ts";
import type { Entry } from "./entry.ts";
import type { EventHub } from "./event_hub.ts";
import { Evictor } from "./evictor.ts";
import { FileSystem } from "./file_system.ts";
import { keyOf } from "./key.ts";
import type { MediaBody } from "./media_body.ts";
import { OpenFiles, type SharedFile } from "./open_files.ts";
import type { ResolvedOptions } from "./options.ts";
import { Orphans } from "./orphans.ts";
import { entryOf, type Leftover, scan } from "./recovery.ts";
import type { Sidecar } from "./sidecar.ts";
import type { Counters } from "./stats.ts";
import { fileBody, memoryBody, StoredReader } from "./stored_body.ts";
import { TaskQueue } from "./task_queue.ts";
import { Touches } from "./touches.ts";
import { verify, type VerifyOptions, type VerifyReport } from "./verify.ts";

/** A committed entry and its bytes, held for one Media. */
export interface Located {
  /** The entry. */
  readonly entry: Entry;
  /** Its bytes. */
  readonly body: MediaBody;
  /** Where they were found. */
  readonly source: "memory" | "disk";
}

/** What a sidecar will say of a body that is about to be committed. */
export type Description = Omit<Sidecar, "size" | "ts">;

/** The memory tier and the disk tier, under one index and one budget. */
export class Tiers {
  /** The files of the disk tier. */
  readonly store: DiskStore;
  /** What is known without asking the disk. */
  readonly catalog: Catalog;
  readonly #files: OpenFiles;
  readonly #fs = new FileSystem();
  readonly #options: ResolvedOptions;
  readonly #hub: EventHub;
  readonly #counters: Counters;
  readonly #orphans: Orphans;
  readonly #touches: Touches;
  readonly #evictor: Evictor;
  /** Everything that changes names in the directory, one after the other. */
  readonly #writes = new TaskQueue();
  #loading: Promise<void> | undefined;
  #loaded = false;

  /** Reads nothing yet. */
  constructor(options: ResolvedOptions, hub: EventHub, counters: Counters) {
    const onError = (operation: string, error: unknown) =>
      this.diskError(operation, error);
    this.#options = options;
    this.#hub = hub;
    this.#counters = counters;
    const fs = this.#fs;
    const store = this.store = new DiskStore(fs, options);
    const files = this.#files = new OpenFiles(fs);
    const orphans = this.#orphans = new Orphans(
      fs,
      store,
      this.#writes,
      onError,
    );
    this.#touches = new Touches((entry, timeMs) => this.#touch(entry, timeMs));
    const catalog = this.catalog = new Catalog({
      maxItems: options.maxMemoryItems,
      maxBytes: options.maxMemoryBytes,
      maxItemBytes: options.maxMemoryItemBytes,
    }, options.readOnly ? undefined : this.#touches);
    const onEvicted = (entry: Entry) => this.#evicted(entry);
    const parts = { fs, store, catalog, files, orphans };
    this.#evictor = new Evictor({ ...parts, onEvicted, onError });
  }

  /** Bytes of leftovers. */
  get orphanBytes(): number {
    return this.#orphans.bytes;
  }

  /** Whether the scan has ended. */
  get loaded(): boolean {
    return this.#loaded;
  }

  /** Builds the index; concurrent calls share one scan. Rejects when it can't. */
  load(): Promise<void> {
    return this.#loading ??= this.#load().catch((error) => {
      this.#loading = undefined;
      throw error;
    });
  }

  /** Finds a committed entry, makes it the most recent, and holds its bytes. */
  async locate(url: string): Promise<Located | undefined> {
    const bytes = this.catalog.memory.use(url);
    const entry = bytes && this.catalog.peek(url);
    if (bytes && entry) {
      this.catalog.use(entry);
      const body = memoryBody(bytes, this.#onServed);
      return { entry, body, source: "memory" };
    }
    try {
      return await this.#locateOnDisk(url);
    } catch (error) {
      this.diskError("read an entry", error);
    }
  }

  /** Whether there is a committed entry; changes nothing. */
  async has(url: string): Promise<boolean> {
    try {
      const entry = this.catalog.peek(url);
      if (entry !== undefined) {
        const facts = await this.#fs.facts(this.store.datPath(entry.key));
        if (facts?.size === entry.size) return true;
      }
      const found = await this.store.find(keyOf(url));
      if (found === undefined || !("file" in found)) return false;
      found.file.close();
      return true;
    } catch (error) {
      this.diskError("look for an entry", error);
      return false;
    }
  }

  /** Makes an entry the most recent; false when there is none. */
  async use(url: string): Promise<boolean> {
    if (!await this.has(url)) return false;
    const entry = this.catalog.peek(url);
    if (entry !== undefined) this.catalog.use(entry);
    else (await this.locate(url))?.body.release();
    return true;
  }

  /** The URL of an entry by its key. */
  async urlOf(key: string): Promise<string | undefined> {
    try {
      const sidecar = await this.store.readSidecar(key);
      return sidecar && "url" in sidecar ? sidecar.url : undefined;
    } catch (error) {
      this.diskError("read a sidecar", error);
    }
  }

  /**
   * Makes a staged body an entry, evicting others to make room.
   *
   * @param wanted Asked at the last moment: the entry may be deleted by then.
   * @returns The file, held for the caller, who must release it; undefined when
   * the body was not stored, and the staged file is still the caller's.
   */
  async commit(
    staged: StagedFile,
    size: number,
    description: Description,
    wanted: () => boolean = () => true,
  ): Promise<SharedFile | undefined> {
    try {
      await this.load();
      return await this.#writes.run(async () => {
        if (wanted()) return await this.#commit(staged, size, description);
      });
    } catch (error) {
      this.diskError("store an entry", error);
    }
  }

  /** Shares a staged body that could not be committed; its name goes. */
  async adoptUnstored(staged: StagedFile): Promise<SharedFile> {
    const file = this.#files.adopt(staged.path, 0, staged.file);
    file.hold(true);
    await this.#files.rescue(staged.path);
    await this.store.discard(staged.path);
    return file;
  }

  /** The body of a shared file, held for a Media. */
  sharedBody(file: SharedFile, size: number): MediaBody {
    return fileBody(this.#files, file, size, this.#onServed);
  }

  /** Holds a shared file for the Media of a download that has ended. */
  claim(file: SharedFile): { release(): void } {
    return this.#files.claim(file);
  }

  /** Removes an entry; true when there was one. */
  delete(url: string): Promise<boolean> {
    return this.#writes.run(async () => {
      const key = keyOf(url);
      const known = this.catalog.peek(url);
      try {
        await this.store.prepare();
        if (this.#options.readOnly) return false;
        await this.#files.rescue(this.store.datPath(key));
        this.catalog.forget(url);
        const removed = await this.store.remove(key);
        if (!removed && known === undefined) return false;
        const size = known?.size ?? 0;
        this.#hub.emit({ type: "deleted", time: Date.now(), url, key, size });
        return true;
      } catch (error) {
        this.diskError("delete an entry", error);
        return false;
      }
    });
  }

  /** Removes all entries, those of other processes and of earlier days included. */
  async clear(): Promise<void> {
    for (const { url } of this.catalog.list()) await this.delete(url);
    await this.#writes.run(async () => {
      try {
        await this.store.prepare();
        await this.#scan(() => {});
      } catch (error) {
        this.diskError("list the directory", error);
      }
    });
    for (const { url } of this.catalog.list()) await this.delete(url);
  }

  /** Checks all files; with `fix`, removes what is wrong. */
  verify(options: VerifyOptions): Promise<VerifyReport> {
    return verify(options, {
      fs: this.#fs,
      store: this.store,
      writes: this.#writes,
      forget: async (url, path) => {
        await this.#files.rescue(path);
        this.catalog.forget(url);
      },
    });
  }

  /** Writes what is pending and lets go of all that nobody reads. */
  async close(): Promise<void> {
    await this.#loading?.catch(() => {});
    this.#orphans.stop();
    await this.#writes.run(() => this.#touches.flush());
    this.#files.closeUnread();
  }

  /** Counts a failure of the file system and tells of it. */
  diskError(operation: string, error: unknown): void {
    this.#counters.diskErrors++;
    this.#hub.emit({ type: "diskError", time: Date.now(), operation, error });
  }

  readonly #onServed = (bytes: number) => {
    this.#counters.bytesServed += bytes;
  };

  async #load(): Promise<void> {
    const start = performance.now();
    await this.store.prepare();
    await this.#scan(({ names, reason }) => {
      const path = this.store.path(names[0] ?? "");
      this.#hub.emit({ type: "skipped", time: Date.now(), path, reason });
    });
    this.catalog.sort();
    this.#loaded = true;
    if (!this.#options.readOnly) await this.#orphans.sweep();
    this.#hub.emit({
      type: "loaded",
      time: Date.now(),
      entries: this.catalog.entries,
      totalBytes: this.catalog.totalBytes,
      durationMs: performance.now() - start,
    });
  }

  #scan(onLeftover: (leftover: Leftover) => void): Promise<void> {
    return scan(this.#fs, this.store, {
      onEntry: (entry) => {
        if (this.catalog.peek(entry.url) === undefined) {
          this.catalog.insert(entry);
        }
      },
      onLeftover: (leftover) => {
        this.#orphans.add(leftover);
        onLeftover(leftover);
      },
    });
  }

  async #locateOnDisk(url: string): Promise<Located | undefined> {
    if (!this.store.ready) await this.store.prepare();
    const known = this.catalog.peek(url);
    const opened = known && await this.#open(known);
    const { entry, file } = opened ?? await this.#discover(url, known) ?? {};
    if (entry === undefined || file === undefined) return undefined;
    this.catalog.use(entry);
    const { memory } = this.catalog;
    if (!memory.admits(entry.size)) {
      return { entry, body: this.sharedBody(file, entry.size), source: "disk" };
    }
    const bytes = await this.#readAll(file, entry.size);
    if (this.catalog.peek(url) === entry) memory.keep(url, bytes);
    return { entry, body: memoryBody(bytes, this.#onServed), source: "disk" };
  }

  /** Opens an entry that the index knows, if its file is still the one known. */
  async #open(
    entry: Entry,
  ): Promise<{ entry: Entry; file: SharedFile } | undefined> {
    const path = this.store.datPath(entry.key);
    const facts = await this.#fs.facts(path);
    if (facts?.inode !== entry.inode || facts.size !== entry.size) return;
    const shared = this.#files.find(path, entry.inode);
    if (shared !== undefined) return { entry, file: shared };
    const file = await this.#fs.open(path);
    return { entry, file: this.#files.adopt(path, entry.inode, file) };
  }

  /** Looks at the hashed path: another process may have stored it, or the scan is not there yet. */
  async #discover(
    url: string,
    known: Entry | undefined,
  ): Promise<{ entry: Entry; file: SharedFile } | undefined> {
    const key = keyOf(url);
    const found = await this.store.find(key);
    if (found !== undefined && "file" in found) {
      const entry = entryOf(found.sidecar, key, found.facts);
      if (known !== undefined) this.catalog.forget(url);
      this.catalog.insert(entry);
      const path = this.store.datPath(key);
      return { entry, file: this.#files.adopt(path, entry.inode, found.file) };
    }
    const reason = found?.reason ?? "its files are gone";
    const time = Date.now();
    if (known !== undefined) {
      this.catalog.forget(url);
      this.#hub.emit({ type: "dropped", time, url, key, reason });
    }
    if (found !== undefined) {
      const path = this.store.jsonPath(key);
      const names = [`${key}.json`, `${key}.dat`];
      this.#orphans.add({ names, bytes: 0, mtimeMs: time, reason });
      this.#hub.emit({ type: "skipped", time, path, reason });
    }
  }

  async #readAll(file: SharedFile, size: number): Promise<Uint8Array> {
    file.hold(true);
    const reader = new StoredReader(
      (view, position) => file.readAt(view, position),
      0,
      size,
      () => {},
      () => file.release(true),
    );
    return await gather(reader, size);
  }

  async #commit(
    staged: StagedFile,
    size: number,
    description: Description,
  ): Promise<SharedFile> {
    const { catalog, store } = this;
    const { url } = description;
    const key = keyOf(url);
    const path = store.datPath(key);
    const old = catalog.peek(url);
    // What is about to be replaced makes room by itself, so it is no victim.
    if (old !== undefined) catalog.use(old);
    const { maxBytes } = this.#options;
    await this.#evictor.makeRoom(maxBytes - size + (old?.size ?? 0));
    await this.#files.rescue(path);
    const storedAt = catalog.tick();
    const mtimeMs = Math.floor(storedAt);
    const sidecar: Sidecar = { ...description, size, ts: storedAt / 1000 };
    // From here on the old pair is no longer what the catalog knows.
    catalog.forget(url);
    const facts = await store.commit(key, staged, sidecar, mtimeMs);
    const entry = {
      ...entryOf(sidecar, key, { ...facts, size, mtimeMs }),
      storedAt,
      lastAccess: storedAt,
    };
    catalog.stored(entry);
    const file = this.#files.adopt(path, entry.inode, staged.file);
    file.hold(true);
    if (catalog.memory.admits(size)) await this.#keepInMemory(entry, file);
    return file;
  }

  async #keepInMemory(entry: Entry, file: SharedFile): Promise<void> {
    try {
      const bytes = await this.#readAll(file, entry.size);
      this.catalog.memory.keep(entry.url, bytes);
    } catch (error) {
      this.diskError("read an entry back", error);
    }
  }

  #evicted(entry: Entry): void {
    const { url, key, mimetype, filename, size, lastAccess } = entry;
    const body = { url, key, mimetype, filename, size, lastAccess };
    this.#counters.evictions++;
    this.#hub.emit({ type: "evicted", time: Date.now(), ...body });
  }

  async #touch(entry: Entry, timeMs: number): Promise<void> {
    if (this.catalog.peek(entry.url) !== entry) return;
    try {
      if (await this.store.touch(entry.key, timeMs)) entry.mtimeMs = timeMs;
    } catch (error) {
      this.diskError("note a use", error);
    }
  }
}
