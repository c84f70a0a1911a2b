import type { DiskTier } from "../disk_tier.ts";
import { adoptEntry } from "./adopt_entry.ts";
import { areSame, type Entry, infoOf } from "../catalog/entry.ts";
import type { EntryInfo } from "../api/entry_info.ts";
import { keyOf } from "../text/key.ts";
import type { MediaBody } from "../bodies/media_body.ts";
import type { Opened, Opener } from "./opener.ts";
import { Lru } from "../catalog/lru.ts";
import { entryOf } from "../catalog/entry.ts";
import { ReadCheck } from "./read_check.ts";
import { mismatchOf } from "../disk/sidecar.ts";
import { areSameState } from "../disk/file_identity.ts";
import type { FileFacts } from "../disk/disk_file.ts";
import {
  fileBody,
  MemoryBody,
  type OnServed,
  readAll,
} from "../bodies/stored_body.ts";

/** The most URLs that are known by their keys: those asked for last. */
const MAX_URLS = 1024;

/** A committed entry and its bytes, held for one Media. */
export interface Located {
  /** The entry. */
  readonly entry: Entry;
  /** Its bytes. */
  readonly body: MediaBody;
  /** Where they were found. */
  readonly source: "memory" | "disk";
}

/** Finds committed entries, in RAM or on disk. */
export class Locator {
  readonly #tier: DiskTier;
  readonly #onServed: OnServed;
  readonly #check: ReadCheck;
  readonly #opener: Opener;
  /** URLs by their keys. A key has no other URL, so they can't grow stale. */
  readonly #urls = new Lru<string>();

  /** Looks nothing up yet. */
  constructor(tier: DiskTier, opener: Opener, onServed: OnServed) {
    this.#tier = tier;
    this.#onServed = onServed;
    this.#check = new ReadCheck(tier);
    this.#opener = opener;
  }

  /**
   * The same as `locate()` of what is in RAM, as long as that is known to be
   * fresh. A promise less, which is a quarter of what such a hit takes.
   */
  recall(url: string): Located | undefined {
    return this.#tier.writes.fresh ? this.#recall(url) : undefined;
  }

  /**
   * Finds an entry, makes it the most recent, and holds its bytes. A fault of
   * the disk is a miss, and leaves the entry as it is.
   */
  async locate(url: string): Promise<Located | undefined> {
    const { calls, catalog, writes, errors } = this.#tier;
    if (!writes.fresh && catalog.memory.peek(url)) await this.#opener.catchUp();
    const recalled = this.#recall(url);
    if (recalled !== undefined) return recalled;
    try {
      return await calls.run(() =>
        this.#steady(url, () => this.#locateOnDisk(url))
      );
    } catch (error) {
      errors.report("read an entry", error);
    }
    return undefined;
  }

  /**
   * Finds an entry by its key, and holds its bytes. Changes nothing: no count, no
   * event, no recency, no entry, whatever is wrong with the disk or the files.
   */
  peek(key: string): Promise<Located | undefined> {
    return this.#look(key, (url) => this.#peek(key, url));
  }

  /** Opens an entry that has just been stored, and makes it the most recent. */
  async open(url: string): Promise<Opened | undefined> {
    const { calls, catalog, store, errors } = this.#tier;
    try {
      return await calls.run(async () => {
        // Quietly, since what was wrong has been told by the lookup before.
        const found = await store.find(keyOf(url));
        if (found === undefined || !("file" in found)) return undefined;
        found.file.close();
        const opened = await this.#opener.open(url);
        if (opened !== undefined) catalog.use(url);
        return opened;
      });
    } catch (error) {
      errors.report("read an entry", error);
    }
    return undefined;
  }

  /** Tells what {@linkcode Locator.peek} finds, without opening the body. */
  info(key: string): Promise<EntryInfo | undefined> {
    return this.#look(key, (url) => this.#info(key, url));
  }

  /** Whether there is an entry; changes nothing. */
  async has(url: string): Promise<boolean> {
    const { calls, errors } = this.#tier;
    try {
      const found = () => this.#steady(url, () => this.#has(url));
      return await calls.run(found) ?? false;
    } catch (error) {
      errors.report("look for an entry", error);
      return false;
    }
  }

  /** Makes an entry the most recent; false when there is none. */
  async use(url: string): Promise<boolean> {
    const { catalog, commits, fs, store } = this.#tier;
    // Most that is put is new, and what comes after this looks more closely.
    const isNew = store.ready && catalog.peek(url) === undefined &&
      !commits.has(url) && !await fs.seems(store.jsonPath(keyOf(url)));
    if (isNew || !await this.has(url)) return false;
    const entry = catalog.peek(url);
    if (entry !== undefined) catalog.use(url);
    else (await this.locate(url))?.body.release();
    return true;
  }

  /** The URL of an entry by its key. */
  async urlOf(key: string): Promise<string | undefined> {
    const { calls, errors } = this.#tier;
    try {
      return await calls.run(() => this.#urlOf(key));
    } catch (error) {
      errors.report("read a sidecar", error);
    }
    return undefined;
  }

  /** Looks at an entry: a disk that fails finds nothing, and is not counted. */
  #look<T>(
    key: string,
    look: (url: string) => Promise<T | undefined>,
  ): Promise<T | undefined> {
    // One call for all steps: close() waits for its end.
    return this.#tier.calls.run(async () => {
      try {
        const url = await this.#urlOf(key);
        if (url === undefined) return undefined;
        return await this.#steady(url, () => look(url));
      } catch {
        return undefined;
      }
    });
  }

  async #urlOf(key: string): Promise<string | undefined> {
    const known = this.#urls.use(key);
    if (known !== undefined) return known;
    const sidecar = await this.#tier.store.readSidecar(key);
    if (sidecar === undefined || "reason" in sidecar) return undefined;
    this.#urls.set(key, sidecar.url, 0);
    const tooMany = this.#urls.victims(Infinity, MAX_URLS);
    for (const url of tooMany) this.#urls.delete(keyOf(url));
    return sidecar.url;
  }

  #recall(url: string): Located | undefined {
    const { catalog } = this.#tier;
    const bytes = catalog.memory.use(url);
    const entry = bytes && catalog.use(url);
    if (bytes === undefined || entry === undefined) return undefined;
    const body = new MemoryBody(bytes, this.#onServed);
    return { entry, body, source: "memory" };
  }

  async #peek(key: string, url: string): Promise<Located | undefined> {
    const { store, catalog, files } = this.#tier;
    const known = catalog.peek(url);
    const bytes = catalog.memory.peek(url);
    if (known && bytes && await this.#isUnchanged(known)) {
      const body = new MemoryBody(bytes, () => {});
      return { entry: known, body, source: "memory" };
    }
    const found = await store.find(key);
    if (found === undefined || !("file" in found)) return undefined;
    const now = entryOf(found.sidecar, key, found.facts);
    // A digest that was compared is remembered by the entry.
    const entry = known !== undefined && areSame(known, now) ? known : now;
    const file = adoptEntry(this.#tier, entry, found.file);
    const onFault = () => {};
    file.hold(true);
    try {
      if (!await this.#check.passesFile(entry, file, onFault)) return undefined;
      const body = fileBody(files, file, entry.size, () => {}, onFault);
      return { entry, body, source: "disk" };
    } finally {
      file.release(true);
    }
  }

  /** Whether the files of an entry are those that it was made of. */
  async #isUnchanged(
    entry: Entry,
    facts?: FileFacts,
  ): Promise<boolean> {
    const { fs, store } = this.#tier;
    if (entry.isYoung) return false;
    facts ??= await fs.facts(store.datPath(entry.key));
    return facts !== undefined && areSameState(entry, facts) &&
      await store.sidecarStamp(entry.key) === entry.sidecarStamp;
  }

  async #info(key: string, url: string): Promise<EntryInfo | undefined> {
    const { fs, store, catalog } = this.#tier;
    const facts = await fs.facts(store.datPath(key));
    if (facts === undefined) return undefined;
    const known = catalog.peek(url);
    if (known && await this.#isUnchanged(known, facts)) return infoOf(known);
    const sidecar = await store.readSidecar(key);
    if (sidecar === undefined || "reason" in sidecar) return undefined;
    if (mismatchOf(sidecar, facts.size)) return undefined;
    const now = entryOf(sidecar, key, facts);
    if (known === undefined || !areSame(known, now)) return infoOf(now);
    // Its uses of the last seconds are not on disk yet.
    const lastAccess = Math.max(known.lastAccess, now.lastAccess);
    return { ...infoOf(known), lastAccess };
  }

  /** Looks, and looks again where a commit of the URL came between. */
  async #steady<T>(
    url: string,
    look: () => Promise<T | undefined>,
  ): Promise<T | undefined> {
    const { commits, catalog } = this.#tier;
    if (commits.has(url)) await commits.ended(url);
    const result = await look();
    if (result || !commits.has(url) && catalog.peek(url) === undefined) {
      return result;
    }
    await commits.ended(url);
    return await look();
  }

  async #has(url: string): Promise<boolean> {
    const { fs, store, catalog } = this.#tier;
    const entry = catalog.peek(url);
    if (entry !== undefined && await this.#opener.isCertain(entry)) {
      const facts = await fs.facts(store.datPath(entry.key));
      if (facts?.size === entry.size) return true;
    }
    const found = await store.find(keyOf(url));
    if (found === undefined || !("file" in found)) return false;
    found.file.close();
    return true;
  }

  async #locateOnDisk(url: string): Promise<Located | undefined> {
    const { catalog, files } = this.#tier;
    const opened = await this.#opener.open(url);
    if (opened === undefined) return undefined;
    const { entry, file } = opened;
    try {
      catalog.use(url);
      if (!catalog.memory.admits(entry.size)) {
        if (!await this.#check.passesFile(entry, file)) {
          return await this.#check.drop(entry);
        }
        const body = fileBody(files, file, entry.size, this.#onServed);
        return { entry, body, source: "disk" };
      }
      const bytes = await readAll(file, entry.size);
      if (!this.#check.passes(entry, bytes)) {
        return await this.#check.drop(entry);
      }
      // It may have been deleted while it was read.
      if (catalog.peek(url) === entry) catalog.memory.keep(url, bytes);
      return {
        entry,
        body: new MemoryBody(bytes, this.#onServed),
        source: "disk",
      };
    } finally {
      file.release(true);
    }
  }
}
