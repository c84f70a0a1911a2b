/*
 * The trust rule. What is remembered of an entry (its bytes in RAM, its record in
 * the catalog, its open file) holds
 *
 * 1. for 20 ms after a look at its sidecar, or
 * 2. if its sidecar still has the stamp that it had at the last look: inode, time of
 *    birth, length, mtime. This takes one lstat; no lock, and no list of changes.
 *
 * Otherwise the pair is read anew. Every change of an entry gives it another sidecar:
 * a commit of ours renames a new file, and the Python original, which tells nobody,
 * rewrites the file in place.
 *
 * An entry is young if one of its files was written so shortly before the look that a
 * file written right after it may have the same stamp, see `isYoung()`: so rule 2 does
 * not apply. Nor is the body of a young entry opened by what is remembered, or the bytes
 * of a new body could be served under type and name of the old. For bytes in RAM there
 * is no such risk: they and their record were remembered together.
 *
 * A disk that fails tells nothing: bytes in RAM then answer, and all else is a miss.
 *
 * `EntryOpener.holds()` applies the rule, for `locate()` and for files to be opened.
 * `has()`, `info()` and `peek()` look at the disk each time.
 */
import type { Catalog } from "../catalog/catalog.ts";
import type { OpenCalls } from "../async/open_calls.ts";
import type { DiskErrors } from "../reporting/disk_errors.ts";
import type { PairStore } from "../disk/pair_store.ts";
import type { OpenFiles } from "../disk/open_files.ts";
import type { WriteTurns } from "./write_turns.ts";
import { datName, jsonName } from "../disk/file_names.ts";
import { areSame, type Entry, entryOf, infoOf } from "../catalog/entry.ts";
import type { EntryInfo } from "../api/entry_info.ts";
import { isNotFound } from "../disk/disk_fault.ts";
import { keyOf } from "../text/key.ts";
import type { MediaOrigin } from "../bodies/cached_media.ts";
import {
  type EntryOpener,
  type OpenEntry,
  shareEntryFile,
} from "./entry_opener.ts";
import { Lru } from "../catalog/lru.ts";
import type { ReadCheck } from "./read_check.ts";
import { mismatchOf } from "../disk/sidecar.ts";
import { PIECE_BYTES } from "../bodies/byte_reader.ts";
import { areSameState } from "../disk/file_identity.ts";
import type { FileFacts } from "../disk/disk_file.ts";
import type { MaybePromise } from "../disk/io_mode.ts";
import {
  fileBody,
  MemoryBody,
  readAll,
  type ServedCounter,
} from "../bodies/stored_body.ts";

/** The number of URLs that are remembered by their keys: the last that were asked for. */
const MAX_URLS = 1024;

/**
 * Bodies up to this many bytes are read whole by a hit, also when the memory tier does
 * not take them: a Media that holds the bytes costs less than an open file.
 */
const MAX_UNKEPT_BYTES = 16_384;

/** The `stored` of a hit. */
const stored: Promise<boolean> = Promise.resolve(true);

/** A committed entry and its bytes, held for one Media. */
export interface Hit extends MediaOrigin {
  /** The entry. */
  readonly entry: Entry;
  /** Where the bytes were found. */
  readonly source: "memory" | "disk";
}

/** The parts of the cache that a {@linkcode Lookup} works on. */
export interface LookupParts {
  /** The files of the directory. */
  readonly store: PairStore;
  /** The known entries. */
  readonly catalog: Catalog;
  /** The open files of entries. */
  readonly files: OpenFiles;
  /** Turns for changes of names in the directory. */
  readonly writes: WriteTurns;
  /** Counts the calls that use the disk. */
  readonly calls: OpenCalls;
  /** Counts and reports disk errors. */
  readonly errors: DiskErrors;
}

/** Finds committed entries, in RAM or on disk. */
export class Lookup {
  readonly #parts: LookupParts;
  readonly #opener: EntryOpener;
  readonly #check: ReadCheck;
  readonly #counter: ServedCounter;
  /** URLs by their keys. A key has only one URL, so they never grow stale. */
  readonly #urls = new Lru<string>();

  /**
   * @param parts The parts of the cache.
   * @param opener Opens entries that are not in RAM.
   * @param check Compares the bytes of a file with the digest.
   * @param counter Counts the bytes that readers of hits were handed.
   */
  constructor(
    parts: LookupParts,
    opener: EntryOpener,
    check: ReadCheck,
    counter: ServedCounter,
  ) {
    this.#parts = parts;
    this.#opener = opener;
    this.#check = check;
    this.#counter = counter;
  }

  /**
   * Finds an entry, makes it the most recent, and holds its bytes. A disk fault is a
   * miss unless RAM has the bytes, and leaves the entry as it is. No promise for most known entries in RAM, or
   * small and on a fast disk: a promise takes as long as all the rest of a hit in RAM.
   */
  locate(url: string): MaybePromise<Hit | undefined> {
    const entry = this.#parts.catalog.peek(url);
    try {
      const known = entry && this.#locateKnown(entry);
      return known === undefined || known instanceof Promise
        ? this.#locate(url, known)
        : known;
    } catch (error) {
      return this.#afterFault(url, error);
    }
  }

  /**
   * Finds an entry by its key, and holds its bytes. Changes nothing: no count, no
   * event, no recency, no entry, whatever is wrong with the disk or the files.
   */
  peek(key: string): Promise<Hit | undefined> {
    return this.#look(key, (url) => this.#peek(key, url));
  }

  /** Opens an entry that has just been stored, and makes it the most recent. */
  async open(url: string): Promise<OpenEntry | undefined> {
    const { calls, catalog, store, errors } = this.#parts;
    try {
      return await calls.run(async () => {
        // `find()` reports nothing, unlike the opener: the caller's lookup has reported a
        // broken pair already.
        const found = await store.find(keyOf(url));
        if (found === undefined || !("file" in found)) return undefined;
        found.file.close();
        const key = keyOf(url);
        const opened = await catalog.keyChanges.look(
          key,
          (isCurrent) => this.#opener.open(url, isCurrent),
        );
        if (opened !== undefined) catalog.use(url);
        return opened;
      });
    } catch (error) {
      errors.report("read an entry", error);
    }
    return undefined;
  }

  /** Opens an entry that has just been stored, or that another process is committing. */
  async openSettled(url: string): Promise<OpenEntry | undefined> {
    const { calls, store, writes } = this.#parts;
    // A commit puts the .dat there first, and a removal takes it away last.
    if (!await store.probablyExists(datName(keyOf(url)))) return undefined;
    const opened = await this.open(url);
    if (opened !== undefined) return opened;
    try {
      await calls.run(() => writes.undisturbed(() => Promise.resolve()));
    } catch {
      return undefined;
    }
    return await this.open(url);
  }

  /** The identity of the file that has the name of a body, whoever put it there. */
  async bodyIdentity(key: string): Promise<number | undefined> {
    const { store } = this.#parts;
    const name = datName(key);
    try {
      return await store.probablyExists(name)
        ? (await store.facts(name))?.identity
        : undefined;
    } catch {
      return undefined;
    }
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

  /** Finds the facts of an entry by its key, without opening the .dat. Changes nothing. */
  info(key: string): Promise<EntryInfo | undefined> {
    return this.#look(key, (url) => this.#info(key, url));
  }

  /** Whether there is an entry; changes nothing. */
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

  /** Makes an entry the most recent; false when there is none. */
  async use(url: string): Promise<boolean> {
    const { catalog, store } = this.#parts;
    const key = keyOf(url);
    // Most bodies that are put are new, and the commit looks more closely.
    const isNew = store.ready && catalog.peek(url) === undefined &&
      !catalog.keyChanges.isChanging(key) &&
      !await store.probablyExists(jsonName(key));
    if (isNew || !await this.has(url)) return false;
    const entry = catalog.peek(url);
    if (entry !== undefined) catalog.use(url);
    else (await this.locate(url))?.body.release();
    return true;
  }

  /** The URL of an entry by its key. */
  async urlOf(key: string): Promise<string | undefined> {
    const { calls, errors } = this.#parts;
    try {
      return await calls.run(() => this.#urlOf(key));
    } catch (error) {
      errors.report("read a sidecar", error);
    }
    return undefined;
  }

  /** Looks at an entry; a disk fault finds nothing, and is not counted. */
  #look<T>(
    key: string,
    look: (url: string) => Promise<T | undefined>,
  ): Promise<T | undefined> {
    // A single call for all steps: close() waits for its end.
    return this.#parts.calls.run(async () => {
      try {
        const url = await this.#urlOf(key);
        if (url === undefined) return undefined;
        return await this.#parts.catalog.keyChanges.look(key, () => look(url));
      } catch {
        return undefined;
      }
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

  async #locate(
    url: string,
    known: Promise<Hit | undefined> | undefined,
  ): Promise<Hit | undefined> {
    const { calls, catalog } = this.#parts;
    try {
      return await calls.run(async () =>
        await known ?? await catalog.keyChanges.look(
          catalog.peek(url)?.key ?? keyOf(url),
          (isCurrent) => this.#locateOnDisk(url, isCurrent),
        )
      );
    } catch (error) {
      return this.#afterFault(url, error);
    }
  }

  /** RAM answers while the disk cannot tell whether its bytes still hold. */
  #afterFault(url: string, error: unknown): Hit | undefined {
    this.#parts.errors.report("read an entry", error);
    return this.#recall(url);
  }

  /**
   * The hit on a known entry that still holds, in RAM or read whole because it is small;
   * undefined where `#locateOnDisk()` must look.
   */
  #locateKnown(entry: Entry): MaybePromise<Hit | undefined> {
    const holds = this.#opener.holds(entry);
    if (holds instanceof Promise) {
      return holds.then((holds) => holds ? this.#hit(entry) : undefined);
    }
    return holds ? this.#hit(entry) : undefined;
  }

  #hit(entry: Entry): MaybePromise<Hit | undefined> {
    const { url, key, size, isYoung } = entry;
    const recalled = this.#recall(url);
    if (recalled !== undefined || isYoung) return recalled;
    const { store, catalog } = this.#parts;
    const isKept = catalog.memory.admits(size);
    if (size > (isKept ? PIECE_BYTES : MAX_UNKEPT_BYTES)) return undefined;
    try {
      const bytes = store.readBody(key, entry);
      return bytes instanceof Promise
        ? bytes.then((bytes) => this.#keep(entry, bytes), undefinedIfNotFound)
        : this.#keep(entry, bytes);
    } catch (error) {
      return undefinedIfNotFound(error);
    }
  }

  /** The hit on an entry whose bytes are in RAM. */
  #recall(url: string): Hit | undefined {
    const { catalog } = this.#parts;
    const bytes = catalog.memory.use(url);
    const entry = bytes && catalog.use(url);
    if (bytes === undefined || entry === undefined) return undefined;
    const body = new MemoryBody(bytes, this.#counter);
    return { entry, body, source: "memory", stored };
  }

  /** The hit on an entry whose bytes were read; RAM keeps the bytes where they fit. */
  #keep(
    entry: Entry,
    bytes: Uint8Array<ArrayBuffer> | undefined,
  ): MaybePromise<Hit | undefined> {
    const { catalog } = this.#parts;
    if (bytes === undefined) return undefined;
    if (!this.#check.passes(entry, bytes)) return this.#check.drop(entry);
    // Keep the bytes only if the entry was not deleted during the read.
    if (catalog.use(entry.url) === entry) catalog.memory.keep(entry.url, bytes);
    const body = new MemoryBody(bytes, this.#counter);
    return { entry, body, source: "disk", stored };
  }

  async #peek(key: string, url: string): Promise<Hit | undefined> {
    const { store, catalog, files } = this.#parts;
    const known = catalog.peek(url);
    const bytes = catalog.memory.peek(url);
    if (known && bytes && await this.#isUnchanged(known)) {
      const body = new MemoryBody(bytes, undefined);
      return { entry: known, body, source: "memory", stored };
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
      if (!await this.#check.passesFile(entry, file, onFault)) return undefined;
      const body = fileBody(files, file, entry.size, undefined, onFault);
      return { entry, body, source: "disk", stored };
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

  async #locateOnDisk(
    url: string,
    isCurrent: () => boolean,
  ): Promise<Hit | undefined> {
    const { catalog, files } = this.#parts;
    const opened = await this.#opener.open(url, isCurrent);
    if (opened === undefined) return undefined;
    const { entry, file } = opened;
    try {
      // The sidecar was read anew, and the bytes in RAM are those of this entry.
      const recalled = catalog.peek(url) === entry && this.#recall(url);
      if (recalled) return recalled;
      if (catalog.memory.admits(entry.size)) {
        return await this.#keep(entry, await readAll(file, entry.size));
      }
      catalog.use(url);
      if (!await this.#check.passesFile(entry, file)) {
        return await this.#check.drop(entry);
      }
      const body = fileBody(files, file, entry.size, this.#counter);
      return { entry, body, source: "disk", stored };
    } finally {
      file.release(true);
    }
  }
}

/** Undefined for a body that is gone, so that the caller looks anew; throws other faults. */
function undefinedIfNotFound(error: unknown): undefined {
  if (!isNotFound(error)) throw error;
}
