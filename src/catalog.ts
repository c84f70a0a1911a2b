import { Clock } from "./clock.ts";
import type { Entry } from "./entry.ts";
import { Lru } from "./lru.ts";
import { type MemoryCaps, MemoryTier } from "./memory_tier.ts";
import type { Touches } from "./touches.ts";

/** What is known of the entries without asking the disk: index, recency, bytes in RAM. */
export class Catalog {
  readonly #index = new Lru<Entry>();
  readonly #memory: MemoryTier;
  readonly #touches: Touches | undefined;
  readonly #clock = new Clock();
  /** Made when it is first asked for: only those that share a directory do. */
  #byKey: Map<string, Entry> | undefined;

  /** A catalog without entries; `touches` are kept if given. */
  constructor(caps: MemoryCaps, touches: Touches | undefined) {
    this.#memory = new MemoryTier(caps);
    this.#touches = touches;
  }

  /** How many entries there are. */
  get entries(): number {
    return this.#index.count;
  }

  /** The bytes of all entries. */
  get totalBytes(): number {
    return this.#index.bytes;
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
    return [...this.#index.values()];
  }

  /** The time now, different from any time before. */
  tick(): number {
    return this.#clock.tick();
  }

  /** Takes an entry in as the most recent, in place of any of that URL. */
  insert(entry: Entry): void {
    this.#index.set(entry.url, entry, entry.size);
    this.#byKey?.set(entry.key, entry);
  }

  /** Takes in an entry that another process has stored, by its last use. */
  found(entry: Entry): void {
    this.forget(entry.url);
    this.insert(entry);
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
    entry.lastAccess = this.#clock.tick();
    this.#touches?.mark(entry);
    return entry;
  }

  /** Another process has used an entry: it goes to where that puts it. */
  usedElsewhere(entry: Entry, mtimeMs: number): void {
    entry.mtimeMs = mtimeMs;
    const used = Math.min(mtimeMs, Date.now());
    if (used <= entry.lastAccess) return;
    entry.lastAccess = used;
    this.#reposition(entry);
  }

  /** Forgets an entry and its bytes in RAM. */
  forget(url: string): void {
    const entry = this.#index.delete(url);
    if (entry !== undefined) {
      this.#touches?.forget(entry);
      this.#byKey?.delete(entry.key);
    }
    this.#memory.delete(url);
  }

  /** Puts the entries into the order of their last uses. */
  sort(): void {
    this.#index.sort((a, b) =>
      // Those from the future all count as used now, but one after the other.
      a.lastAccess - b.lastAccess || a.mtimeMs - b.mtimeMs ||
      a.storedAt - b.storedAt
    );
  }

  #reposition({ url, lastAccess }: Entry): void {
    this.#index.reposition(url, (other) => other.lastAccess <= lastAccess);
  }
}
