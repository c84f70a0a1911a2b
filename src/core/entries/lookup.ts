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
 * An entry is young if its sidecar was written so shortly before the look that a file
 * written right after it may have the same stamp, see `isYoung()`. So in place of rule 2
 * its sidecar is read, and must say the same as before: no two commits of a process have
 * the same `ts`, nor a commit and the one that it replaces. If the file is old enough by
 * then, the entry is young no more. A put of bytes dates its sidecar back
 * (`PairStore.stageBytes()`), so that its entry is not young. Left open: a put, a deletion
 * and a put of three processes within one millisecond, of equal length, where the file
 * system gives the second pair the inodes of the first.
 *
 * The body of a young entry is not opened by what is remembered, or the bytes of a new body
 * could be served under type and name of the old. Nor is a body that was young itself at
 * the last look at the sidecar: within the 20 ms nobody looks at that again. For bytes in
 * RAM there is no such risk: they and their record were remembered together.
 *
 * A disk that fails tells nothing: bytes in RAM then answer, and all else is a miss.
 *
 * `Lookup` applies the rule, for bytes in RAM and for files to be opened. `Peek` looks
 * at the disk each time.
 */
import type { Catalog } from "../catalog/catalog.ts";
import type { OpenCalls } from "../async/open_calls.ts";
import type { DiskErrors } from "../reporting/disk_errors.ts";
import type { PairStore } from "../disk/pair_store.ts";
import type { OpenFiles, SharedFile } from "../disk/open_files.ts";
import type { WriteTurns } from "./write_turns.ts";
import { datName, jsonName } from "../disk/file_names.ts";
import { areSame, type Entry, entryOf } from "../catalog/entry.ts";
import { isNotFound } from "../disk/disk_fault.ts";
import { keyOf } from "../text/key.ts";
import type { Hit } from "../bodies/cached_media.ts";
import { type Discovery, type OpenEntry, shareEntryFile } from "./discovery.ts";
import type { Peek } from "./peek.ts";
import type { ReadCheck } from "./read_check.ts";
import { PIECE_BYTES } from "../bodies/byte_reader.ts";
import { areSameState, isYoung } from "../disk/file_identity.ts";
import { mismatchOf } from "../disk/sidecar.ts";
import type { MaybePromise } from "../disk/io_mode.ts";
import {
  fileBody,
  MemoryBody,
  readAll,
  type ServedCounter,
} from "../bodies/stored_body.ts";

/** For how long after a look at its sidecar an entry is taken to be the same, in milliseconds. */
const TRUSTED_MS = 20;

/**
 * Bodies up to this many bytes are read whole by a hit, also when the memory tier does
 * not take them: a Media that holds the bytes costs less than an open file.
 */
const MAX_UNKEPT_BYTES = 16_384;

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
  /** Takes in entries that are not known, or have changed. */
  readonly discovery: Discovery;
  /** Looks at entries and changes nothing. */
  readonly peek: Peek;
  /** Compares bytes with digests; undefined where reads are not checked. */
  readonly check: ReadCheck | undefined;
  /** Counts the bytes that readers of hits were handed. */
  readonly counters: ServedCounter;
}

/** Finds committed entries, in RAM or on disk, and makes them the most recent. */
export class Lookup {
  readonly #parts: LookupParts;

  constructor(parts: LookupParts) {
    this.#parts = parts;
  }

  /**
   * Finds an entry, makes it the most recent, and holds its bytes. A disk fault is a
   * miss unless RAM has the bytes, and leaves the entry as it is. Returns no promise for
   * most known entries in RAM, or small and on a fast disk: a promise takes as long as
   * all the rest of a hit in RAM.
   */
  locate(url: string): MaybePromise<Hit | undefined> {
    const entry = this.#parts.catalog.peek(url);
    try {
      const hit = entry && this.#locateKnown(entry);
      return hit === undefined || hit instanceof Promise
        ? this.#locate(url, hit)
        : hit;
    } catch (error) {
      return this.#afterFault(url, error);
    }
  }

  /** Opens an entry that another process has just stored, and makes it the most recent. */
  async open(url: string): Promise<OpenEntry | undefined> {
    const { calls, catalog, store, errors } = this.#parts;
    const key = keyOf(url);
    try {
      return await calls.run(async () => {
        // `find()` reports nothing, unlike the discovery: the caller's lookup has reported
        // a broken pair already.
        const found = await store.find(key);
        if (found === undefined || !("file" in found)) return undefined;
        found.file.close();
        const opened = await catalog.keyChanges.look(
          key,
          (isCurrent) => this.#open(url, isCurrent),
        );
        if (opened !== undefined) catalog.use(url);
        return opened;
      });
    } catch (error) {
      errors.report("read an entry", error);
    }
    return undefined;
  }

  /**
   * Opens an entry, also while another process commits it: where there is a body without
   * a sidecar, waits until that process has committed or removed the entry.
   */
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

  /** Makes an entry the most recent; false when there is none. */
  async use(url: string): Promise<boolean> {
    const { catalog, peek } = this.#parts;
    if (!await peek.has(url)) return false;
    if (catalog.use(url) === undefined) {
      (await this.locate(url))?.body.release();
    }
    return true;
  }

  /**
   * The hit on a known entry that still holds, in RAM or read whole because it is small;
   * undefined where the files must be opened.
   */
  #locateKnown(entry: Entry): MaybePromise<Hit | undefined> {
    const holds = this.#holds(entry);
    if (holds === true) return this.#recall(entry.url) ?? this.#read(entry);
    if (holds === false) return undefined;
    return holds.then((it) =>
      it ? this.#recall(entry.url) ?? this.#read(entry) : undefined
    );
  }

  /** Whether all that is remembered of an entry still holds, by the trust rule above. */
  #holds(entry: Entry): MaybePromise<boolean> {
    const now = Date.now();
    const agoMs = now - entry.seenAtMs;
    if (agoMs >= 0 && agoMs < TRUSTED_MS) return true;
    if (entry.isYoung) return this.#holdsYoung(entry, now);
    const stamp = this.#parts.store.sidecarStamp(entry.key);
    if (stamp instanceof Promise) {
      return stamp.then((stamp) => {
        if (stamp === entry.sidecarStamp) entry.seenAtMs = now;
        return stamp === entry.sidecarStamp;
      });
    }
    if (stamp === entry.sidecarStamp) entry.seenAtMs = now;
    return stamp === entry.sidecarStamp;
  }

  /** Whether the sidecar of a young entry says the same as before. */
  async #holdsYoung(entry: Entry, now: number): Promise<boolean> {
    const { key } = entry;
    const sidecar = await this.#parts.store.readSidecar(key);
    if (sidecar === undefined || "reason" in sidecar) return false;
    if (mismatchOf(sidecar, entry.size) !== undefined) return false;
    const found = entryOf(sidecar, key, entry, now);
    if (!areSame(entry, found)) return false;
    entry.isYoung = found.isYoung;
    entry.seenAtMs = now;
    return true;
  }

  /** The hit on an entry whose bytes are in RAM. */
  #recall(url: string): Hit | undefined {
    const { catalog, counters } = this.#parts;
    const bytes = catalog.memory.use(url);
    const entry = bytes && catalog.use(url);
    if (bytes === undefined || entry === undefined) return undefined;
    return { entry, body: new MemoryBody(bytes, counters), source: "memory" };
  }

  /** The hit on an entry whose body is so small that it is read whole. */
  #read(entry: Entry): MaybePromise<Hit | undefined> {
    const { store, catalog } = this.#parts;
    const maxBytes = catalog.memory.admits(entry.size)
      ? PIECE_BYTES
      : MAX_UNKEPT_BYTES;
    const mayBeOther = entry.isYoung || isYoung(entry, entry.seenAtMs);
    if (mayBeOther || entry.size > maxBytes) return undefined;
    const bytes = store.readBody(entry.key, entry);
    return bytes instanceof Promise
      ? bytes.then((bytes) => this.#keep(entry, bytes))
      : this.#keep(entry, bytes);
  }

  /** The hit on an entry whose bytes were read; RAM keeps the bytes where they fit. */
  #keep(
    entry: Entry,
    bytes: Uint8Array<ArrayBuffer> | undefined,
  ): MaybePromise<Hit | undefined> {
    const { catalog, counters, check } = this.#parts;
    if (bytes === undefined) return undefined;
    if (check?.passes(entry, bytes) === false) return check.drop(entry);
    // Keep the bytes only if the entry was not deleted during the read.
    if (catalog.use(entry.url) === entry) catalog.memory.keep(entry.url, bytes);
    return { entry, body: new MemoryBody(bytes, counters), source: "disk" };
  }

  async #locate(
    url: string,
    known: Promise<Hit | undefined> | undefined,
  ): Promise<Hit | undefined> {
    const { calls, catalog } = this.#parts;
    try {
      if (known === undefined && await this.#isMissing(url)) return undefined;
      return await calls.run(async () =>
        await known ?? await catalog.keyChanges.look(
          catalog.peek(url)?.key ?? keyOf(url),
          (isCurrent) => this.#locateAnew(url, isCurrent),
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
   * Whether there is no entry: none is known, and there is no sidecar, which is the last
   * file of a commit.
   */
  async #isMissing(url: string): Promise<boolean> {
    const { catalog, store } = this.#parts;
    if (!store.ready || catalog.peek(url) !== undefined) return false;
    const key = keyOf(url);
    return !catalog.keyChanges.isChanging(key) &&
      !await store.exists(jsonName(key));
  }

  async #locateAnew(
    url: string,
    isCurrent: () => boolean,
  ): Promise<Hit | undefined> {
    const { catalog, files, check, counters } = this.#parts;
    const opened = await this.#open(url, isCurrent);
    if (opened === undefined) return undefined;
    const { entry, file } = opened;
    try {
      // The sidecar was looked at, and the bytes in RAM are those of this entry.
      const recalled = catalog.peek(url) === entry && this.#recall(url);
      if (recalled) return recalled;
      if (catalog.memory.admits(entry.size)) {
        return await this.#keep(entry, await readAll(file, entry.size));
      }
      catalog.use(url);
      const passes = await check?.passesFile(entry, file);
      if (passes === false) return await check?.drop(entry);
      const body = fileBody(files, file, entry.size, counters);
      return { entry, body, source: "disk" };
    } finally {
      file.release(true);
    }
  }

  /**
   * Opens the entry of a URL, and holds its file.
   *
   * @param isCurrent Whether nothing has changed the entry since this look began.
   */
  async #open(
    url: string,
    isCurrent: () => boolean,
  ): Promise<OpenEntry | undefined> {
    const { store, catalog, discovery } = this.#parts;
    if (!store.ready) await store.prepare();
    const known = catalog.peek(url);
    return known !== undefined && await this.#openKnown(known) ||
      await discovery.open(url, known, isCurrent);
  }

  /** Opens a known entry that still holds; undefined if the pair must be read anew. */
  async #openKnown(entry: Entry): Promise<OpenEntry | undefined> {
    // A young file proves nothing: another file could have the same state.
    if (entry.isYoung || isYoung(entry, entry.seenAtMs)) return undefined;
    const file = await this.#holdBody(entry);
    if (file === undefined) return undefined;
    try {
      // Checked after the .dat is open: a new sidecar comes only after its .dat.
      if (await this.#holds(entry)) return { entry, file };
    } catch (error) {
      file.release(true);
      throw error;
    }
    file.release(true);
    return undefined;
  }

  /** Opens and holds the .dat of an entry, if it is in the known state. */
  async #holdBody(entry: Entry): Promise<SharedFile | undefined> {
    const { store, files } = this.#parts;
    const path = store.datPath(entry.key);
    if (files.find(path, entry.identity) !== undefined) {
      const facts = await store.facts(datName(entry.key));
      if (facts === undefined || !areSameState(facts, entry)) return undefined;
      // The last reader may have closed the file meanwhile.
      const shared = files.find(path, entry.identity);
      if (shared !== undefined) {
        shared.hold(true);
        return shared;
      }
    }
    try {
      const file = await store.openBody(entry.key);
      if (areSameState(file.opened, entry)) {
        const shared = shareEntryFile(files, store, entry, file);
        shared.hold(true);
        return shared;
      }
      // Another process has used the entry, or replaced or rewritten its .dat.
      file.close();
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    return undefined;
  }
}
