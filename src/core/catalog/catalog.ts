import { Clock } from "../async/clock.ts";
import { type Entry, occupiedBytesOf } from "./entry.ts";
import { keyOf } from "../text/key.ts";
import { Lru } from "./lru.ts";
import { type MemoryCaps, MemoryTier } from "./memory_tier.ts";
import type { PendingIndex } from "./pending_index.ts";
import { sortInTurns } from "../async/sort_in_turns.ts";
import { TaskQueue } from "../async/task_queue.ts";
import type { Touches } from "./touches.ts";
import type { Pacer } from "../async/pacer.ts";
import { KeyChanges } from "./key_changes.ts";

/** So many entries find their places in a millisecond; more are sorted with turns. */
const MAX_PLACED = 1_000;

/** What is known of the entries without asking the disk: index, recency, bytes in RAM. */
export class Catalog {
  /** The keys that are being changed, and looked at. */
  readonly keyChanges: KeyChanges = new KeyChanges();
  readonly #index = new Lru<Entry>();
  readonly #memory: MemoryTier;
  readonly #touches: Touches | undefined;
  readonly #clock = new Clock();
  /** Made when it is first asked for: only those that share a directory do. */
  #byKey: Map<string, Entry> | undefined;
  /** Entries that are counted, but whose records are yet to come. */
  #pending: PendingIndex | undefined;
  /** Whether an index told of the entries, and they were not compared since. */
  #isProvisional = false;
  /** Those to be put into their places when all the others are in theirs. */
  readonly #unplaced = new Set<Entry>();
  /** Whether each was last used before the one above it, as far as the disk tells. */
  #isOrdered = true;
  #lastHydrated = Infinity;
  readonly #sorting = new TaskQueue();
  #isSorting = false;
  /** About what the entries in the index take on disk, in bytes. */
  #occupiedBytes = 0;
  #changes = 0;
  #uses = 0;

  /** A catalog without entries; `touches` are kept if given. */
  constructor(caps: MemoryCaps, touches: Touches | undefined) {
    this.#memory = new MemoryTier(caps);
    this.#touches = touches;
  }

  /** How many entries there are. */
  get entries(): number {
    return this.#index.count + (this.#pending?.count ?? 0);
  }

  /** The bytes of all entries. */
  get totalBytes(): number {
    return this.#index.bytes + (this.#pending?.bytes ?? 0);
  }

  /** About what the files of all entries take on disk, in bytes. */
  get occupiedBytes(): number {
    return this.#occupiedBytes + (this.#pending?.occupiedBytes ?? 0);
  }

  /** How often an entry came or went. */
  get changes(): number {
    return this.#changes;
  }

  /** How often an entry was used. */
  get uses(): number {
    return this.#uses;
  }

  /**
   * Counts entries whose records follow, by {@linkcode Catalog.hydrate}. Until
   * {@linkcode Catalog.settle} they are in no list, and until
   * {@linkcode Catalog.confirm} in no order.
   */
  expect(pending: PendingIndex): void {
    this.#pending = pending;
    this.#isProvisional = true;
    // What lookups have found before that is newer.
    for (const entry of this.list()) {
      if (pending.drop(entry.key)) this.#changes++;
      this.#unplaced.add(entry);
    }
  }

  /** Takes in the record of a pending entry, the most recent one first. */
  hydrate(ordinal: number, entry: Entry): void {
    if (!this.#pending?.take(ordinal)) return;
    // Of what was used just before a kill the disk may know an earlier use only.
    this.#isOrdered &&= entry.lastAccess <= this.#lastHydrated;
    this.#lastHydrated = entry.lastAccess;
    if (!this.#index.append(entry.url, entry, entry.size)) return;
    this.#occupiedBytes += occupiedBytesOf(entry);
    this.#byKey?.set(entry.key, entry);
  }

  /** An entry that is pending is none any more. */
  forgetPending(key: string): void {
    if (this.#pending?.drop(key)) this.#changes++;
  }

  /** No more records come: those that are left are forgotten. */
  settle(): void {
    this.#pending = undefined;
  }

  /** Whether an entry may be otherwise than an index has told. */
  get isProvisional(): boolean {
    return this.#isProvisional;
  }

  /** All entries were compared with the disk: they get into order. */
  async confirm(pacer: Pacer): Promise<void> {
    this.#isProvisional = false;
    const isQuick = this.#isOrdered && this.#unplaced.size <= MAX_PLACED;
    if (isQuick) this.#placeLate();
    else await this.sort(pacer);
  }

  /** The memory tier. */
  get memory(): MemoryTier {
    return this.#memory;
  }

  /** The entry of a URL; its recency stays. */
  peek(url: string): Entry | undefined {
    return this.#index.peek(url);
  }

  /** The entry of a key; its recency stays. */
  byKey(key: string): Entry | undefined {
    this.#byKey ??= new Map(this.list().map((entry) => [entry.key, entry]));
    return this.#byKey.get(key);
  }

  /** The least recently used entry. */
  oldest(): Entry | undefined {
    return this.#index.oldest();
  }

  /** All entries, most recent first. */
  list(): Entry[] {
    return this.#index.list();
  }

  /** The time now, different from any time before. */
  tick(): number {
    return this.#clock.tick();
  }

  /** Takes an entry in as the most recent, in place of any of that URL. */
  insert(entry: Entry): void {
    this.keyChanges.note(entry.key);
    this.#memory.delete(entry.url);
    this.#pending?.drop(entry.key);
    this.#changes++;
    const old = this.#index.set(entry.url, entry, entry.size);
    this.#occupiedBytes += occupiedBytesOf(entry);
    if (old !== undefined) this.#occupiedBytes -= occupiedBytesOf(old);
    this.#byKey?.set(entry.key, entry);
  }

  /**
   * Takes in an entry that was found on disk, if there is none of its URL: that
   * one is at least as new. Whoever calls sees to its place.
   *
   * @returns Whether there was none.
   */
  discover(entry: Entry): boolean {
    if (!this.#index.append(entry.url, entry, entry.size)) return false;
    this.#occupiedBytes += occupiedBytesOf(entry);
    this.#pending?.drop(entry.key);
    this.#changes++;
    this.#byKey?.set(entry.key, entry);
    if (this.#isProvisional) this.#unplaced.add(entry);
    return true;
  }

  /**
   * Takes in an entry that another process has stored, by its last use, which may
   * be one of the entry before it.
   */
  found(entry: Entry): void {
    const old = this.#index.peek(entry.url);
    const isUsed = old !== undefined && old.lastAccess > old.mtimeMs &&
      old.lastAccess > entry.lastAccess;
    this.#drop(entry.url);
    this.insert(entry);
    if (isUsed) {
      entry.lastAccess = old.lastAccess;
      this.#touches?.mark(entry);
    }
    this.#reposition(entry);
  }

  /** Takes in an entry that was just stored: that is its first use. */
  stored(entry: Entry): void {
    this.insert(entry);
    // Others were used while it was being stored.
    this.#reposition(entry);
    this.#touches?.mark(entry);
  }

  /** Notes a use of a URL, which makes its entry, returned, the most recent. */
  use(url: string): Entry | undefined {
    const entry = this.#index.use(url);
    if (entry === undefined) return undefined;
    this.#uses++;
    entry.lastAccess = this.#clock.tick();
    this.#touches?.mark(entry);
    if (!this.#hasOrder) this.#unplaced.add(entry);
    return entry;
  }

  /** The disk was asked for an entry, and still has it. */
  seen(entry: Entry, { isYoung, mtimeMs }: Entry): void {
    const isTouched = mtimeMs !== entry.mtimeMs;
    // Of a file with another time nothing that was learned before holds.
    entry.isYoung = isYoung && (isTouched || entry.isYoung);
    if (isTouched) this.usedElsewhere(entry, mtimeMs);
  }

  /** Another process has used an entry: it goes to where that puts it. */
  usedElsewhere(entry: Entry, mtimeMs: number): void {
    entry.mtimeMs = mtimeMs;
    const used = Math.min(mtimeMs, Date.now());
    if (used <= entry.lastAccess) return;
    this.#uses++;
    entry.lastAccess = used;
    this.#reposition(entry);
  }

  /**
   * The disk dates the last use of an entry otherwise than an index did.
   *
   * @param now When the index was read; uses after that count as then.
   */
  redate(entry: Entry, mtimeMs: number, now: number): void {
    // One that was used since it was loaded knows better.
    const isUsed = entry.lastAccess > entry.mtimeMs;
    const used = Math.min(mtimeMs, now);
    entry.mtimeMs = mtimeMs;
    if (isUsed && used <= entry.lastAccess) return;
    this.#uses++;
    entry.lastAccess = used;
    this.#reposition(entry);
  }

  /** Forgets an entry and its bytes in RAM. */
  forget(url: string): void {
    const key = this.#index.peek(url)?.key ?? keyOf(url);
    this.keyChanges.note(key);
    this.forgetPending(key);
    this.#drop(url);
  }

  /**
   * Puts the entries into the order of their last uses.
   *
   * @param task Run before: many entries may come and go in it, which find their
   * places at the end, where each by itself would have to look for it.
   */
  sort(
    pacer: Pacer,
    task: () => Promise<void> = () => Promise.resolve(),
  ): Promise<void> {
    return this.#sorting.run(async () => {
      this.#isSorting = true;
      try {
        await task();
        await this.#sort(pacer);
      } finally {
        this.#isSorting = false;
        this.#placeLate();
      }
    });
  }

  async #sort(pacer: Pacer): Promise<void> {
    this.#unplaced.clear();
    const newestFirst = (a: Entry, b: Entry) => byUse(b, a);
    const entries = await sortInTurns(this.list(), newestFirst, pacer);
    for (const entry of entries) {
      if (pacer.due) await pacer.yield();
      // One that is used meanwhile finds its place in the end.
      if (this.peek(entry.url) === entry) this.#index.sink(entry.url);
    }
    this.#isOrdered = true;
  }

  /** Whether the list is in the order of recency. */
  get #hasOrder(): boolean {
    return !this.#isProvisional && !this.#isSorting;
  }

  /** Places those that came when there was no order, in one walk. */
  #placeLate(): void {
    if (!this.#hasOrder) return;
    const urls = [...this.#unplaced]
      .filter((entry) => this.peek(entry.url) === entry)
      .sort((a, b) => byUse(b, a)).map(({ url }) => url);
    this.#index.repositionAll(urls, (other, than) => byUse(other, than) <= 0);
    this.#unplaced.clear();
  }

  #drop(url: string): void {
    const entry = this.#index.delete(url);
    if (entry !== undefined) {
      this.#changes++;
      this.#occupiedBytes -= occupiedBytesOf(entry);
      this.#touches?.forget(entry);
      this.#byKey?.delete(entry.key);
    }
    this.#memory.delete(url);
  }

  #reposition(entry: Entry): void {
    if (!this.#hasOrder) {
      this.#unplaced.add(entry);
      return;
    }
    const { url, lastAccess } = entry;
    this.#index.reposition(url, (other) => other.lastAccess <= lastAccess);
  }
}

function byUse(a: Entry, b: Entry): number {
  // Those from the future all count as used now, but one after the other.
  return a.lastAccess - b.lastAccess || a.mtimeMs - b.mtimeMs ||
    a.storedAt - b.storedAt;
}
