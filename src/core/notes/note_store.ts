import { Pacer } from "../async/pacer.ts";
import type { OpenCalls } from "../async/open_calls.ts";
import { BLOCK_BYTES, inBlocks } from "../disk/blocks.ts";
import { isNotFound } from "../disk/disk_fault.ts";
import { classify, noteName } from "../disk/file_names.ts";
import type { PairStore } from "../disk/pair_store.ts";
import type { ReportFault } from "../reporting/disk_errors.ts";
import {
  formatNote,
  isBlank,
  MAX_NOTE_BYTES,
  NO_NOTE,
  type Note,
  OTHER_VERSION,
  parseNote,
} from "./note.ts";

/** The most notes without an entry; of more the oldest go. */
const MAX_STRAYS = 10_000;

/** The part of `maxDiskBytes` that notes without an entry may take. */
const STRAY_SHARE = 1 / 4;

/** The most notes that are kept in RAM since the disk does not take them. */
const MAX_UNWRITTEN = 10_000;

const ENCODER = new TextEncoder();

/** The parts of the cache that a {@linkcode NoteStore} works on. */
export interface NoteStoreParts {
  /** The files of the directory. */
  readonly store: PairStore;
  /** Counts the calls that use the disk. */
  readonly calls: OpenCalls;
  /** Reports disk errors. */
  readonly errors: { readonly report: ReportFault };
}

/** The options of a {@linkcode NoteStore}. */
export interface NoteStoreOptions {
  /** Whether nothing may be written. */
  readonly readOnly: boolean;
  /** Cap of all files of the directory, in bytes of whole blocks. */
  readonly maxDiskBytes: number;
}

/** A note that the disk did not take, or whose removal it refused. */
interface Unwritten {
  /** The note; undefined for a note that was to be removed. */
  readonly note: Note | undefined;
  /** The stamp of the sidecar at that time: an entry that changes elsewhere ends the note. */
  readonly stamp: number | undefined;
}

/** Notices what this cache does to a key. */
export interface NoteWatch extends Disposable {
  /** Whether the note was removed since the watch began, as by `delete()`. */
  readonly isRemoved: boolean;
  /** Whether the entry was evicted since the watch began, which no note minds. */
  readonly isEvicted: boolean;
}

/** The findings of a watch. */
interface Noticed {
  isRemoved: boolean;
  isEvicted: boolean;
}

/** A note that can't be read, as `verify()` reports it. */
export interface BrokenNote {
  /** The name of its file. */
  readonly name: string;
  /** The bytes of the file. */
  readonly bytes: number;
  /** Why the note can't be read. */
  readonly reason: string;
  /** Whether the note was removed. */
  readonly isRemoved: boolean;
}

/**
 * The notes in the directory. Each read asks the disk, so that all processes see the same
 * note. No lock is held between reading and renaming: of two processes that change one
 * note the last writer wins, and a lost handle costs one upload. A note that the disk does
 * not take is kept in RAM for this process.
 */
export class NoteStore {
  /** Estimate of the bytes that all notes take on disk, in whole blocks. */
  occupiedBytes = 0;
  /** Whether a key is watched, so that `evicted()` must be called. */
  isWatching = false;
  readonly #parts: NoteStoreParts;
  readonly #readOnly: boolean;
  readonly #maxStrays: number;
  readonly #unwritten = new Map<string, Unwritten>();
  /** The last task of each key whose note is being changed. */
  readonly #running = new Map<string, Promise<unknown>>();
  readonly #watches = new Map<string, Set<Noticed>>();
  /** The keys of all notes, since the last listing of the directory. */
  #listed: readonly string[] | undefined;
  #isCounted = false;
  /**
   * The keys of known notes without an entry, the oldest first. An entry that was evicted
   * or stored since the last `tidy()` is not seen here.
   */
  #strays = new Set<string>();
  #tidying: Promise<void> | undefined;

  constructor(
    parts: NoteStoreParts,
    { readOnly, maxDiskBytes }: NoteStoreOptions,
  ) {
    this.#parts = parts;
    this.#readOnly = readOnly;
    const room = Math.floor(maxDiskBytes * STRAY_SHARE / BLOCK_BYTES);
    this.#maxStrays = Math.min(MAX_STRAYS, room);
  }

  /** The note of a key; undefined when there is none, or none that can be read. */
  read(key: string): Promise<Note | undefined> {
    const { calls, errors } = this.#parts;
    return calls.run(async () => {
      try {
        const unwritten = await this.#unwrittenOf(key);
        return unwritten === undefined
          ? (await this.#find(key))?.note
          : unwritten.note;
      } catch (error) {
        errors.report("read a note", error);
        return undefined;
      }
    });
  }

  /**
   * Changes the note of a key. A disk fault is reported, and the note kept in RAM.
   *
   * @param change Returns the new note for the present one, which is empty where there is
   * none; the same note if nothing changes.
   */
  change(key: string, change: (note: Note) => Note): Promise<void> {
    return this.#parts.calls.run(async () => {
      await this.#inTurn(key, () => this.#change(key, change));
      // After the turn: two changes would wait for each other's keys.
      await this.#trim();
    });
  }

  /**
   * Removes the note of a key, since the bytes of its URL may be others from now on.
   *
   * @param beforeMs A note that was written at this time or later stays (ms since the
   * epoch).
   * @throws The file system's error. The note then is on disk, and hidden here.
   */
  async remove(key: string, beforeMs: number = Infinity): Promise<void> {
    for (const watch of this.#watches.get(key) ?? []) watch.isRemoved = true;
    this.#unwritten.delete(key);
    const { store } = this.#parts;
    // Without a directory there is no note, and Deno might ask for a permission.
    if (this.#readOnly || !store.ready && !await this.#prepares()) return;
    const isAbsent = !this.#running.has(key) &&
      !store.probablyExists(noteName(key));
    if (isAbsent) return;
    await this.#inTurn(key, async () => {
      this.#unwritten.delete(key);
      try {
        await this.#removeFile(key, beforeMs);
      } catch (error) {
        this.#keepInRam(key, undefined, undefined);
        throw error;
      }
    });
  }

  /** Removes all notes. A disk fault is reported. */
  async clear(): Promise<void> {
    const { store, errors } = this.#parts;
    if (this.#readOnly) return;
    this.#unwritten.clear();
    for (const watches of this.#watches.values()) {
      for (const watch of watches) watch.isRemoved = true;
    }
    const pacer = new Pacer();
    const keys: string[] = [];
    try {
      if (!store.ready) await store.prepare();
      for await (const { name } of store.list()) {
        if (pacer.due) await pacer.yield();
        const { kind, key } = classify(name);
        if (kind === "note") keys.push(key);
      }
      for (const key of keys) {
        if (pacer.due) await pacer.yield();
        await this.remove(key);
      }
    } catch (error) {
      if (!isNotFound(error)) errors.report("remove a note", error);
    }
  }

  /** Watches the note of a key until the watch is disposed of. */
  watch(key: string): NoteWatch {
    const watch = { isRemoved: false, isEvicted: false };
    const watches = this.#watches.get(key) ?? new Set();
    this.#watches.set(key, watches.add(watch));
    this.isWatching = true;
    return {
      get isRemoved() {
        return watch.isRemoved;
      },
      get isEvicted() {
        return watch.isEvicted;
      },
      [Symbol.dispose]: () => {
        watches.delete(watch);
        if (watches.size === 0) this.#watches.delete(key);
        this.isWatching = this.#watches.size > 0;
      },
    };
  }

  /** Tells the watches of a key that its entry was evicted. */
  evicted(key: string): void {
    for (const watch of this.#watches.get(key) ?? []) watch.isEvicted = true;
  }

  /** Takes in the keys of all notes that a listing of the directory has found. */
  listed(keys: readonly string[]): void {
    this.#listed = keys;
    if (this.#isCounted) return;
    this.#isCounted = true;
    // Most notes take one block; `tidy()` looks at each.
    this.occupiedBytes += keys.length * BLOCK_BYTES;
  }

  /**
   * Counts the bytes of the notes that were listed last, and removes the oldest of too
   * many without an entry. Never rejects.
   */
  tidy(): Promise<void> {
    return this.#tidying ??= this.#tidy().catch((error) => {
      if (!isNotFound(error)) {
        this.#parts.errors.report("look at a note", error);
      }
    }).finally(() => {
      this.#tidying = undefined;
    });
  }

  /**
   * Looks at the note of a key. A disk fault is reported.
   *
   * @param fix Whether a note that can't be read is removed.
   * @returns What is wrong; undefined where nothing is, and for a note of another version.
   */
  async check(key: string, fix: boolean): Promise<BrokenNote | undefined> {
    const { errors } = this.#parts;
    try {
      return await this.#inTurn(key, async () => {
        const { reason, bytes } = await this.#find(key) ?? NOTHING;
        if (reason === undefined || reason === OTHER_VERSION) return undefined;
        const isRemoved = fix && await this.#removeFile(key);
        return { name: noteName(key), bytes, reason, isRemoved };
      });
    } catch (error) {
      errors.report("look at a note", error);
      return undefined;
    }
  }

  async #tidy(): Promise<void> {
    const keys = this.#listed;
    this.#listed = undefined;
    if (keys === undefined) return;
    const { store } = this.#parts;
    const pacer = new Pacer();
    const counted = this.occupiedBytes;
    let bytes = 0;
    const strays: { key: string; mtimeMs: number }[] = [];
    this.#strays = new Set();
    for (const key of keys) {
      if (pacer.due) await pacer.yield();
      const facts = await store.facts(noteName(key));
      if (facts === undefined) continue;
      bytes += inBlocks(facts.size);
      const isStray = !await store.hasSidecar(key);
      if (isStray) strays.push({ key, mtimeMs: facts.mtimeMs });
    }
    // Notes that this process has written meanwhile stay counted.
    this.occupiedBytes += bytes - counted;
    if (this.#readOnly) return;
    strays.sort((a, b) => a.mtimeMs - b.mtimeMs);
    const written = this.#strays;
    this.#strays = new Set(
      strays.map(({ key }) => key).filter((key) => !written.has(key)),
    );
    for (const key of written) this.#strays.add(key);
    await this.#trim();
  }

  /** Removes the oldest of too many notes without an entry. A disk fault is reported. */
  async #trim(): Promise<void> {
    const { store, errors } = this.#parts;
    const pacer = new Pacer();
    for (const key of this.#strays) {
      if (this.#strays.size <= this.#maxStrays) return;
      this.#strays.delete(key);
      if (pacer.due) await pacer.yield();
      try {
        await this.#inTurn(key, async () => {
          // A change has made the note the newest meanwhile.
          if (this.#strays.has(key)) return;
          if (!await store.hasSidecar(key)) await this.#removeFile(key);
        });
      } catch (error) {
        errors.report("remove a note", error);
      }
    }
  }

  async #change(key: string, change: (note: Note) => Note): Promise<void> {
    const { store, errors } = this.#parts;
    const unwritten = await this.#unwrittenOf(key);
    let before = unwritten?.note;
    try {
      const found = await this.#find(key);
      if (unwritten === undefined) before = found?.note;
      const note = change(before ?? NO_NOTE);
      if (note === (before ?? NO_NOTE)) return;
      if (this.#readOnly) return await this.#keep(key, note);
      const bytes = ENCODER.encode(isBlank(note) ? "" : formatNote(note));
      if (bytes.length === 0) await this.#removeFile(key);
      else {
        await store.replaceFile(noteName(key), key, bytes);
        this.occupiedBytes += inBlocks(bytes.length) -
          inBlocks(found?.bytes ?? 0);
        this.#strays.delete(key);
        if (!await store.hasSidecar(key)) this.#strays.add(key);
      }
      this.#unwritten.delete(key);
    } catch (error) {
      errors.report("write a note", error);
      await this.#keep(key, change(before ?? NO_NOTE));
    }
  }

  /** Removes the file of a note, if there is one; anything else of that name stays. */
  async #removeFile(key: string, beforeMs = Infinity): Promise<boolean> {
    const { store } = this.#parts;
    const facts = await store.facts(noteName(key));
    if (facts === undefined) return false;
    // A time to come tells that the clock was set back since: the note may be older.
    const isLater = facts.mtimeMs >= beforeMs && facts.mtimeMs <= Date.now();
    if (isLater) return false;
    if (!await store.removeFile(noteName(key))) return false;
    this.#strays.delete(key);
    this.occupiedBytes -= inBlocks(facts.size);
    return true;
  }

  /** Reads the file of a note; undefined when there is none. */
  async #find(key: string): Promise<FoundNote | undefined> {
    const { store } = this.#parts;
    const name = noteName(key);
    if (!store.ready) await store.prepare();
    if (!store.probablyExists(name)) return undefined;
    try {
      const { text, state } = await store.readText(name, MAX_NOTE_BYTES);
      const bytes = state.size;
      if (text === undefined) return { bytes, reason: "note is too long" };
      const note = parseNote(text);
      return typeof note === "string"
        ? { bytes, reason: note }
        : { bytes, note };
    } catch (error) {
      if (isNotFound(error)) return undefined;
      if (!(error instanceof TypeError)) throw error;
      const bytes = (await store.facts(name))?.size ?? 0;
      return { bytes, reason: "note is not UTF-8" };
    }
  }

  /** The note of a key that is kept in RAM, unless the entry has changed since. */
  async #unwrittenOf(key: string): Promise<Unwritten | undefined> {
    const unwritten = this.#unwritten.get(key);
    if (unwritten?.note === undefined) return unwritten;
    if (await this.#stampOf(key) === unwritten.stamp) return unwritten;
    this.#unwritten.delete(key);
    return undefined;
  }

  async #keep(key: string, note: Note): Promise<void> {
    this.#keepInRam(key, note, await this.#stampOf(key));
  }

  #keepInRam(
    key: string,
    note: Note | undefined,
    stamp: number | undefined,
  ): void {
    this.#unwritten.delete(key);
    this.#unwritten.set(key, { note, stamp });
    for (const oldest of this.#unwritten.keys()) {
      if (this.#unwritten.size <= MAX_UNWRITTEN) break;
      this.#unwritten.delete(oldest);
    }
  }

  /** The stamp of the sidecar of a key; undefined without a sidecar or while the disk fails. */
  async #stampOf(key: string): Promise<number | undefined> {
    const { store } = this.#parts;
    try {
      return store.ready ? await store.sidecarStamp(key) : undefined;
    } catch {
      return undefined;
    }
  }

  /** Prepares the directory; false if it can't be used. */
  #prepares(): Promise<boolean> {
    return this.#parts.store.prepare().then(() => true, () => false);
  }

  /** Runs a task after all earlier tasks of its key. */
  async #inTurn<T>(key: string, task: () => Promise<T>): Promise<T> {
    const before = this.#running.get(key);
    const result = before === undefined
      ? task()
      : before.catch(() => {}).then(task);
    this.#running.set(key, result);
    try {
      return await result;
    } finally {
      if (this.#running.get(key) === result) this.#running.delete(key);
    }
  }
}

/** The file of a note. */
interface FoundNote {
  /** The bytes of the file. */
  readonly bytes: number;
  /** The note, if it can be read. */
  readonly note?: Note;
  /** Why it can't be read. */
  readonly reason?: string;
}

const NOTHING: FoundNote = { bytes: 0 };
