import { areSame, type Entry, entryOf, infoOf } from "../catalog/entry.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { DiskErrors } from "../reporting/disk_errors.ts";
import type { EntryInfo } from "../api/entry_info.ts";
import type { FileFacts } from "../disk/disk_file.ts";
import type { Hit } from "../bodies/cached_media.ts";
import type { OpenCalls } from "../async/open_calls.ts";
import type { OpenFiles } from "../disk/open_files.ts";
import type { PairStore } from "../disk/pair_store.ts";
import type { ReadCheck } from "./read_check.ts";
import { areSameState } from "../disk/file_identity.ts";
import { datName } from "../disk/file_names.ts";
import { fileBody, MemoryBody } from "../bodies/stored_body.ts";
import { keyOf } from "../text/key.ts";
import { normalizeMimetype } from "../text/mimetype.ts";
import { Lru } from "../catalog/lru.ts";
import { mismatchOf } from "../disk/sidecar.ts";
import { shareEntryFile } from "./discovery.ts";

/** The type of all conversions; entries of another type are as the origin sent them. */
const VIDEO_TYPE = "video/mp4";

/** The number of URLs that are remembered by their keys: the last that were asked for. */
const MAX_URLS = 1024;

/** The parts of the cache that a {@linkcode Peek} works on. */
export interface PeekParts {
  /** The files of the directory. */
  readonly store: PairStore;
  /** The known entries. */
  readonly catalog: Catalog;
  /** The open files of entries. */
  readonly files: OpenFiles;
  /** Counts the calls that use the disk. */
  readonly calls: OpenCalls;
  /** Counts and reports disk errors. */
  readonly errors: DiskErrors;
  /** Compares bytes with digests; undefined where reads are not checked. */
  readonly check: ReadCheck | undefined;
}

/** Looks at entries on disk, and changes nothing: no recency, no record, no file. */
export class Peek {
  readonly #parts: PeekParts;
  /** URLs by their keys. A key has only one URL, so they never grow stale. */
  readonly #urls = new Lru<string>();

  constructor(parts: PeekParts) {
    this.#parts = parts;
  }

  /**
   * Finds an entry by its key, and holds its bytes. Counts nothing and reports nothing,
   * whatever is wrong with the disk or the files.
   */
  hit(key: string): Promise<Hit | undefined> {
    return this.#look(key, (url) => this.#hit(key, url)).catch(() => undefined);
  }

  /** Whether the .dat of an entry is the file with that identity. */
  async isStored(url: string, identity: number): Promise<boolean> {
    try {
      const facts = await this.#parts.store.facts(datName(keyOf(url)));
      return facts?.identity === identity && await this.has(url);
    } catch {
      return false;
    }
  }

  /** Finds the facts of an entry by its key, without opening the .dat; a disk fault finds nothing. */
  info(key: string): Promise<EntryInfo | undefined> {
    return this.infoOrFault(key).catch(() => undefined);
  }

  /**
   * Finds the facts of an entry by its key, without opening the .dat.
   *
   * @throws The fault of the disk, behind which there may be an entry.
   */
  infoOrFault(key: string): Promise<EntryInfo | undefined> {
    return this.#look(key, (url) => this.#info(key, url));
  }

  /** Whether there is an entry. A disk fault is reported. */
  async has(url: string): Promise<boolean> {
    const { calls, catalog, errors } = this.#parts;
    try {
      return await calls.run(() =>
        catalog.keyChanges.look(keyOf(url), () => this.#has(url))
      );
    } catch (error) {
      errors.report("look for an entry", error);
      return false;
    }
  }

  /**
   * The type that the origin has sent for an entry: before the conversion, if its sidecar
   * tells of one. After a disk fault, which is reported, it is the type of the entry.
   */
  async sourceType({ key, mimetype }: EntryInfo): Promise<string> {
    if (normalizeMimetype(mimetype) !== VIDEO_TYPE) return mimetype;
    const { calls, errors, store } = this.#parts;
    try {
      const sidecar = await calls.run(() => store.readSidecar(key));
      if (sidecar === undefined || "reason" in sidecar) return mimetype;
      const { sourceMimetype } = sidecar;
      return sidecar.mimetype === mimetype && sourceMimetype || mimetype;
    } catch (error) {
      errors.report("read a sidecar", error);
      return mimetype;
    }
  }

  /** The URL of an entry by its key. A disk fault is reported. */
  async urlOf(key: string): Promise<string | undefined> {
    const { calls, errors } = this.#parts;
    try {
      return await calls.run(() => this.#urlOf(key));
    } catch (error) {
      errors.report("read a sidecar", error);
    }
    return undefined;
  }

  /** Looks at an entry. A disk fault is thrown, and not counted. */
  #look<T>(
    key: string,
    look: (url: string) => Promise<T | undefined>,
  ): Promise<T | undefined> {
    // A single call for all steps: close() waits for its end.
    return this.#parts.calls.run(async () => {
      const url = await this.#urlOf(key);
      if (url === undefined) return undefined;
      return await this.#parts.catalog.keyChanges.look(key, () => look(url));
    });
  }

  async #urlOf(key: string): Promise<string | undefined> {
    const known = this.#urls.use(key);
    if (known !== undefined) return known;
    const sidecar = await this.#parts.store.readSidecar(key);
    if (sidecar === undefined || "reason" in sidecar) return undefined;
    this.#urls.set(key, sidecar.url, 0);
    const tooMany = this.#urls.victims(Infinity, MAX_URLS);
    for (const url of tooMany) this.#urls.delete(keyOf(url));
    return sidecar.url;
  }

  async #hit(key: string, url: string): Promise<Hit | undefined> {
    const { store, catalog, files, check } = this.#parts;
    const known = catalog.peek(url);
    const bytes = catalog.memory.peek(url);
    if (known && bytes && await this.#isUnchanged(known)) {
      const body = new MemoryBody(bytes, undefined);
      return { entry: known, body, source: "memory" };
    }
    const found = await store.find(key);
    if (found === undefined || !("file" in found)) return undefined;
    const now = entryOf(found.sidecar, key, found.facts);
    // Keep the known record: a compared digest is remembered by record.
    const entry = known !== undefined && areSame(known, now) ? known : now;
    const file = shareEntryFile(files, store, entry, found.file);
    const onFault = () => {};
    file.hold(true);
    try {
      const passes = await check?.passesFile(entry, file, onFault);
      if (passes === false) return undefined;
      const body = fileBody(files, file, entry.size, undefined, onFault);
      return { entry, body, source: "disk" };
    } finally {
      file.release(true);
    }
  }

  /** Whether the files of an entry are still in the state of its record. */
  async #isUnchanged(
    entry: Entry,
    facts?: FileFacts,
  ): Promise<boolean> {
    const { store } = this.#parts;
    if (entry.isYoung) return false;
    facts ??= await store.facts(datName(entry.key));
    return facts !== undefined && areSameState(entry, facts) &&
      await store.sidecarStamp(entry.key) === entry.sidecarStamp;
  }

  async #info(key: string, url: string): Promise<EntryInfo | undefined> {
    const { store, catalog } = this.#parts;
    const facts = await store.facts(datName(key));
    if (facts === undefined) return undefined;
    const known = catalog.peek(url);
    if (known && await this.#isUnchanged(known, facts)) return infoOf(known);
    const sidecar = await store.readSidecar(key);
    if (sidecar === undefined || "reason" in sidecar) return undefined;
    if (mismatchOf(sidecar, facts.size)) return undefined;
    const now = entryOf(sidecar, key, facts);
    if (known === undefined || !areSame(known, now)) return infoOf(now);
    // The uses of the last seconds are not on disk yet.
    const lastAccess = Math.max(known.lastAccess, now.lastAccess);
    return { ...infoOf(known), lastAccess };
  }

  async #has(url: string): Promise<boolean> {
    const { store, catalog } = this.#parts;
    const entry = catalog.peek(url);
    if (entry !== undefined && await this.#isUnchanged(entry)) return true;
    const found = await store.find(keyOf(url));
    if (found === undefined || !("file" in found)) return false;
    found.file.close();
    return true;
  }
}
