import { CatalogSnapshot } from "./catalog_snapshot.ts";
import {
  byUse,
  type Entry,
  type EntryState,
  occupiedBytesOf,
} from "./entry.ts";
import { keyOf } from "../text/key.ts";
import { Lru } from "./lru.ts";
import { type MemoryCaps, MemoryTier } from "./memory_tier.ts";
import type { PackedEntries } from "./packed_entries.ts";
import type { Pacer } from "../async/pacer.ts";
import { sortInTurns } from "../async/sort_in_turns.ts";
import { TaskQueue } from "../async/task_queue.ts";
import type { Touches } from "./touches.ts";
import { KeyChanges } from "./key_changes.ts";

/** The most entries that one walk places, in a millisecond; more are sorted in turns. */
const MAX_PLACED = 1_000;

/** A microsecond, in milliseconds. */
const STEP_MS = 0.001;

/** The most victims of one call: a packed victim becomes an object, which takes 4 µs. */
const MAX_VICTIMS = 64;

/**
 * The entries, their recency and their bytes in RAM, as far as known without asking the
 * disk. An entry of an index stays packed until it is used or changed. Both kinds share
 * one order, that of their last uses.
 */
export class Catalog {
  /** The versions of the keys that are being changed or looked at. */
  readonly keyChanges: KeyChanges = new KeyChanges();
  /** Whether all entries count for the budget, see `Loader.ready()`. */
  isCounted = false;
  /** Whether all entries in the directory are known. */
  isComplete = false;
  /** The bodies in RAM. */
  readonly memory: MemoryTier;
  /** How often an entry was added or removed. */
  changes = 0;
  /** The entries that are not packed. */
  readonly #entries = new Lru<Entry>();
  #packed: PackedEntries | undefined;
  readonly #touches: Touches | undefined;
  /** The latest tick or known use, in milliseconds since the epoch. */
  #lastTick = -Infinity;
  /** Entries by key, made at the first use: only shared directories need it. */
  #byKey: Map<string, Entry> | undefined;
  /** The entries that are to be moved to the places of their last uses. */
  readonly #unplaced = new Set<Entry>();
  /** The number of running tasks that move entries at their end. */
  #disorders = 0;
  readonly #sorting = new TaskQueue();
  /** Estimated bytes on disk of the entries that are not packed. */
  #occupiedBytes = 0;
  #uses = 0;

  /** `touches` writes uses to disk; a `readOnly` cache has none. */
  constructor(caps: MemoryCaps, touches: Touches | undefined) {
    this.memory = new MemoryTier(caps);
    this.#touches = touches;
  }

  /** The number of entries. */
  get entries(): number {
    return this.#entries.count + (this.#packed?.count ?? 0);
  }

  /** The bytes of all entries. */
  get totalBytes(): number {
    return this.#entries.bytes + (this.#packed?.bytes ?? 0);
  }

  /** Estimated bytes that the files of all entries take on disk. */
  get occupiedBytes(): number {
    return this.#occupiedBytes + (this.#packed?.occupiedBytes ?? 0);
  }

  /** How often an entry was used. */
  get uses(): number {
    return this.#uses;
  }

  /** Adds the entries of an index, except for known entries, which are newer. */
  takeUp(packed: PackedEntries): void {
    this.#packed = packed;
    this.#noteUse(packed.readAt);
    for (const { key } of this.#entries.list()) {
      if (packed.drop(key)) this.changes++;
    }
  }

  /** Forgets the entries of an index that are still packed. */
  dropPacked(): void {
    this.#packed = undefined;
  }

  /**
   * Runs a task in which many entries come and go, and then moves all of them to the
   * places of their last uses at once: a walk for each would take quadratic time.
   */
  async whileUnordered<T>(pacer: Pacer, task: () => Promise<T>): Promise<T> {
    this.#disorders++;
    try {
      return await task();
    } finally {
      try {
        if (this.#unplaced.size > MAX_PLACED) {
          await this.#sorting.run(() => this.#sort(pacer));
        }
      } finally {
        this.#disorders--;
        this.#place();
      }
    }
  }

  /** The present entries and their order. */
  snapshot(): CatalogSnapshot {
    this.#place();
    return new CatalogSnapshot(this.#entries.list().reverse(), this.#packed);
  }

  /** All keys, in no order; entries may come and go during the iteration. */
  *keys(): Generator<string> {
    if (this.#packed !== undefined) yield* this.#packed.keys();
    // After the packed keys: an entry that is unpacked meanwhile must not be missed.
    for (const { key } of this.#entries.list()) yield key;
  }

  /** The entry of a URL, whose recency stays. */
  peek(url: string): Entry | undefined {
    return this.#entries.peek(url) ?? this.#packed?.peek(keyOf(url));
  }

  /** The entry of a key, whose recency stays. */
  byKey(key: string): Entry | undefined {
    this.#byKey ??= new Map(this.#entries.list().map((it) => [it.key, it]));
    return this.#byKey.get(key) ?? this.#packed?.peek(key);
  }

  /** The file states of the entry of a key. Unlike `byKey()`, makes no packed entry an object. */
  stateOf(key: string): EntryState | undefined {
    return this.#packed?.stateOf(key) ?? this.byKey(key);
  }

  /**
   * Names the entries that must go before `size` bytes are stored under `url`, the
   * least recently used first, 64 at most: after their removal the caller asks again.
   * Empty when there is room. The entry of `url` is replaced, so its bytes count as room.
   *
   * @param stuck Keys of entries that the disk does not let go.
   * @param occupied Bytes on disk that the files of the victims must give back, apart
   * from those of the entry of `url`.
   * @returns Undefined when the removal of all other entries would not make enough room.
   */
  victims(
    size: number,
    url: string,
    maxBytes: number,
    stuck: ReadonlySet<string> = new Set(),
    occupied = 0,
  ): Entry[] | undefined {
    const victims: Entry[] = [];
    let excess = this.totalBytes + size - maxBytes;
    if (excess <= 0 && occupied <= 0) return victims;
    excess -= this.peek(url)?.size ?? 0;
    if (this.#unplaced.size > 0) this.#place();
    const oldestFirst = this.#oldestFirst();
    while ((excess > 0 || occupied > 0) && victims.length < MAX_VICTIMS) {
      const { value: entry } = oldestFirst.next();
      if (entry === undefined) return undefined;
      if (entry.url === url || stuck.has(entry.key)) continue;
      victims.push(entry);
      excess -= entry.size;
      if (occupied > 0) occupied -= occupiedBytesOf(entry);
    }
    return victims;
  }

  /** The latest mtime of a body up to `now`, in milliseconds since the epoch; 0 without entries. */
  latestMtime(now: number): number {
    let latest = this.#packed?.latestMtime(now) ?? 0;
    for (const { mtimeMs } of this.#entries.oldestFirst()) {
      if (mtimeMs > latest && mtimeMs <= now) latest = mtimeMs;
    }
    return latest;
  }

  /** The entries whose bodies have a later mtime, the least recently used first. */
  datedAfter(timeMs: number): Entry[] {
    const entries = this.#packed?.datedAfter(timeMs) ?? [];
    for (const entry of this.#entries.oldestFirst()) {
      if (entry.mtimeMs > timeMs) entries.push(entry);
    }
    return entries.sort(byUse);
  }

  /**
   * The time in milliseconds since the epoch, later than any tick and any known use
   * before, also when the system's clock is set back.
   */
  tick(): number {
    const now = Date.now();
    const last = this.#lastTick;
    return this.#lastTick = now > last ? now : last + STEP_MS;
  }

  /** Adds an entry as the most recent, in place of the entry of its URL. */
  insert(entry: Entry): void {
    this.keyChanges.note(entry.key);
    this.memory.delete(entry.url);
    this.changes++;
    this.#put(entry);
  }

  /**
   * Takes in an entry that was found on disk, unless its URL has an entry, which is at
   * least as new.
   *
   * @returns Whether the entry was added.
   */
  addIfUnknown(entry: Entry): boolean {
    if (this.#packed?.peek(entry.key) !== undefined) return false;
    if (!this.#entries.append(entry.url, entry, entry.size)) return false;
    this.#occupiedBytes += occupiedBytesOf(entry);
    this.changes++;
    this.#byKey?.set(entry.key, entry);
    this.#unplaced.add(entry);
    this.#noteUse(entry.lastAccess);
    return true;
  }

  /**
   * Adds an entry that another process has stored, at the place of its last use, which
   * may be a use of the entry before.
   */
  replaceFromDisk(entry: Entry): void {
    const old = this.peek(entry.url);
    const isUsed = old !== undefined && old.lastAccess > old.mtimeMs &&
      old.lastAccess > entry.lastAccess;
    this.#noteUse(entry.lastAccess);
    this.#drop(entry.url);
    this.insert(entry);
    if (isUsed) {
      entry.lastAccess = old.lastAccess;
      this.#touches?.mark(entry);
    }
    this.#reposition(entry);
  }

  /** Adds an entry that this process has just stored, which is its first use. */
  stored(entry: Entry): void {
    const newest = this.#entries.newest;
    this.keyChanges.note(entry.key);
    this.changes++;
    this.#put(entry);
    // Other entries may have been used during the commit.
    const isNewest = newest === undefined ||
      newest.lastAccess <= entry.lastAccess;
    if (!isNewest || this.#disorders > 0) this.#reposition(entry);
    this.#touches?.mark(entry);
  }

  /** Makes the entry of a URL the most recent, and returns it. */
  use(url: string): Entry | undefined {
    const entry = this.#entries.use(url) ?? this.#unpack(url);
    if (entry === undefined) return undefined;
    this.#uses++;
    entry.lastAccess = this.tick();
    this.#touches?.mark(entry);
    if (this.#disorders > 0) this.#unplaced.add(entry);
    return entry;
  }

  /** Takes in the new mtime of an entry that is still on disk, and whether it is young. */
  seen(entry: Entry, { isYoung, mtimeMs }: Entry): void {
    const isTouched = mtimeMs !== entry.mtimeMs;
    // A new mtime makes the entry young again.
    entry.isYoung = isYoung && (isTouched || entry.isYoung);
    if (isTouched) this.usedElsewhere(entry, mtimeMs);
  }

  /** Takes in a use of an entry by another process, at `mtimeMs`. */
  usedElsewhere(entry: Entry, mtimeMs: number): void {
    entry.mtimeMs = mtimeMs;
    const used = Math.min(mtimeMs, Date.now());
    if (used <= entry.lastAccess) return;
    this.#uses++;
    entry.lastAccess = used;
    this.#noteUse(used);
    this.#reposition(entry);
  }

  /**
   * Takes in the last use on disk of an entry from the index, which may be older.
   *
   * @param now When the index was read (ms since the epoch); later times count as this.
   */
  redate(entry: Entry, mtimeMs: number, now: number): void {
    // A use since the start is later than what the disk knows.
    const isUsed = this.#entries.peek(entry.url) === entry &&
      entry.lastAccess > entry.mtimeMs;
    const used = Math.min(mtimeMs, now);
    entry.mtimeMs = mtimeMs;
    if (isUsed && used <= entry.lastAccess) return;
    this.#uses++;
    entry.lastAccess = used;
    this.#noteUse(used);
    this.#reposition(entry);
  }

  /** Forgets an entry and its bytes in RAM. */
  forget(url: string): void {
    this.keyChanges.note(this.#drop(url)?.key ?? keyOf(url));
  }

  /** Adds an entry as the most recent. */
  #put(entry: Entry): void {
    this.#packed?.drop(entry.key);
    const old = this.#entries.set(entry.url, entry, entry.size);
    this.#occupiedBytes += occupiedBytesOf(entry);
    if (old !== undefined) this.#occupiedBytes -= occupiedBytesOf(old);
    this.#byKey?.set(entry.key, entry);
  }

  /** Moves a packed entry to the others, as the most recent. */
  #unpack(url: string): Entry | undefined {
    const entry = this.#packed?.peek(keyOf(url));
    if (entry !== undefined) this.#put(entry);
    return entry;
  }

  #drop(url: string): Entry | undefined {
    const entry = this.#entries.delete(url);
    if (entry !== undefined) {
      this.changes++;
      this.#occupiedBytes -= occupiedBytesOf(entry);
      this.#touches?.forget(entry);
      this.#byKey?.delete(entry.key);
    } else if (this.#packed?.drop(keyOf(url))) this.changes++;
    this.memory.delete(url);
    return entry;
  }

  /** Makes each later tick later than a use. */
  #noteUse(timeMs: number): void {
    if (timeMs > this.#lastTick) this.#lastTick = timeMs;
  }

  #reposition(entry: Entry): void {
    const { url, lastAccess } = entry;
    if (this.#entries.peek(url) !== entry) {
      if (this.#packed?.peek(entry.key) !== entry) return;
      this.#put(entry);
    }
    if (this.#disorders > 0) this.#unplaced.add(entry);
    else this.#entries.reposition(url, (it) => it.lastAccess <= lastAccess);
  }

  /** Sorts all entries that are not packed, in turns; entries may be used meanwhile. */
  async #sort(pacer: Pacer): Promise<void> {
    this.#unplaced.clear();
    const newestFirst = (a: Entry, b: Entry) => byUse(b, a);
    const entries = await sortInTurns(
      this.#entries.list(),
      newestFirst,
      pacer,
    );
    for (const entry of entries) {
      if (pacer.due) await pacer.yield();
      // A use meanwhile puts the entry among the unplaced, so its order here does not matter.
      if (this.#entries.peek(entry.url) === entry) {
        this.#entries.sink(entry.url);
      }
    }
  }

  /** Moves the unplaced entries to the places of their last uses, in one walk. */
  #place(): void {
    if (this.#unplaced.size === 0) return;
    const urls = [...this.#unplaced]
      .filter((entry) => this.#entries.peek(entry.url) === entry)
      .sort((a, b) => byUse(b, a)).map(({ url }) => url);
    this.#entries.repositionAll(urls, (other, than) => byUse(other, than) < 0);
    this.#unplaced.clear();
  }

  /** All entries, the least recently used first; no entry may come or go meanwhile. */
  *#oldestFirst(): Generator<Entry> {
    const packed = this.#packed?.oldestFirst();
    let old = packed?.next().value;
    for (const entry of this.#entries.oldestFirst()) {
      for (; old && byUse(old, entry) <= 0; old = packed?.next().value) {
        yield old;
      }
      yield entry;
    }
    for (; old; old = packed?.next().value) yield old;
  }
}
