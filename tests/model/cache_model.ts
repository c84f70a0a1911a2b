import { keyOf } from "../../src/core/text/key.ts";

/** The caps of a cache, in bytes except the cap of items. */
export interface Caps {
  /** The cap of all entries. */
  maxBytes: number;
  /** The cap of one entry, and of staged bytes. */
  maxEntryBytes: number;
  /** The cap of the number of bodies in memory. */
  maxMemoryItems: number;
  /** The cap of all bodies in memory. */
  maxMemoryBytes: number;
  /** The cap of one body in memory. */
  maxMemoryItemBytes: number;
}

/** An entry. */
export interface Kept {
  /** The URL. */
  readonly url: string;
  /** The bytes of the body. */
  readonly bytes: Uint8Array;
}

/** Files in the directory that are not an entry. */
export interface Stray {
  /** The number of bytes. */
  readonly bytes: number;
  /** The time when the file was written. */
  readonly timeMs: number;
}

/** The grace period of halves of pairs, in milliseconds. */
const GRACE_MS = 600_000;

/** The grace period of .part files that nobody has locked, in milliseconds. */
const STAGED_GRACE_MS = 5_000;

/** The expected state and counts of a cache, as simple lists. */
export class CacheModel {
  /** The caps now. */
  caps: Caps;
  /** The entries, most recently used first. */
  entries: readonly Kept[] = [];
  /** The entries in memory, in the same order. */
  memory: readonly Kept[] = [];
  /**
   * The URLs in the order that the directory would have if the process were
   * killed now.
   */
  saved: readonly string[] = [];
  /** The evicted entries so far, the first one first. */
  readonly evicted: string[] = [];
  /** Leftovers by name. */
  readonly strays = new Map<string, Stray>();
  /** Whether the entries there at start must fit by now. */
  isTrimmed = true;
  /** The statistics expected since the cache was opened. */
  counts = zeros();

  /** An empty cache. */
  constructor(caps: Caps) {
    this.caps = caps;
  }

  /** Bytes of all entries. */
  get bytes(): number {
    return sum(this.entries);
  }

  /** Bytes of all bodies in memory. */
  get memoryBytes(): number {
    return sum(this.memory);
  }

  /** The entry of a URL. */
  find(url: string): Kept | undefined {
    return this.entries.find((entry) => entry.url === url);
  }

  /** A lookup; returns the source that the bytes must have. */
  hit(url: string): "memory" | "disk" {
    this.counts.hits++;
    const entry = this.touch(url);
    if (this.memory.includes(entry)) {
      this.memory = [entry, ...without(this.memory, url)];
      return "memory";
    }
    this.keepInMemory(entry);
    return "disk";
  }

  /** A use that reads nothing. */
  touch(url: string): Kept {
    const entry = this.find(url);
    if (entry === undefined) throw new Error(`No entry ${url}`);
    this.entries = [entry, ...without(this.entries, url)];
    return entry;
  }

  /** A body is added, and others are removed. */
  store(url: string, bytes: Uint8Array): void {
    const others = [...without(this.entries, url)];
    while (sum(others) + bytes.length > this.caps.maxBytes) {
      const victim = others.pop();
      if (victim === undefined) throw new Error("Too large to be stored");
      this.remove(victim.url);
      this.evicted.push(victim.url);
      this.counts.evictions++;
    }
    this.remove(url);
    const entry = { url, bytes };
    this.entries = [entry, ...this.entries];
    this.saved = [url, ...this.saved];
    this.keepInMemory(entry);
    this.isTrimmed = true;
    this.forgetStrays(url);
  }

  /** An entry is removed. */
  remove(url: string): void {
    this.entries = without(this.entries, url);
    this.memory = without(this.memory, url);
    this.saved = this.saved.filter((saved) => saved !== url);
  }

  /** Bytes were read, and stay in memory if the caps allow. */
  keepInMemory(entry: Kept): void {
    const { maxMemoryItems, maxMemoryBytes, maxMemoryItemBytes } = this.caps;
    this.memory = without(this.memory, entry.url);
    const size = entry.bytes.length;
    const fits = maxMemoryItems > 0 && size <= maxMemoryItemBytes &&
      size <= maxMemoryBytes;
    if (!fits) return;
    const memory = [entry, ...this.memory];
    while (memory.length > maxMemoryItems || sum(memory) > maxMemoryBytes) {
      memory.pop();
    }
    this.memory = memory;
  }

  /** Pending touches were written. */
  save(): void {
    this.saved = this.entries.map(({ url }) => url);
  }

  /** Another process opens the directory, with caps of its own. */
  reopen(caps: Caps): void {
    this.caps = caps;
    this.entries = this.saved.flatMap((url) => this.find(url) ?? []);
    this.memory = [];
    this.counts = zeros();
    this.isTrimmed = this.bytes <= caps.maxBytes;
  }

  /** Whether there is a leftover of a URL. */
  hasStray(url: string): boolean {
    const key = keyOf(url);
    return [...this.strays.keys()].some((name) => name.startsWith(key));
  }

  /** The halves of a pair are part of an entry now, or gone. */
  forgetStrays(url: string): void {
    const key = keyOf(url);
    this.strays.delete(`${key}.dat`);
    this.strays.delete(`${key}.json`);
  }

  /** Old leftovers are removed. */
  sweep(nowMs: number): void {
    for (const [name, { timeMs }] of this.strays) {
      const graceMs = name.endsWith(".part") ? STAGED_GRACE_MS : GRACE_MS;
      if (timeMs + graceMs <= nowMs) this.strays.delete(name);
    }
  }
}

function zeros() {
  return {
    hits: 0,
    misses: 0,
    failures: 0,
    coalesced: 0,
    evictions: 0,
    conversions: 0,
    conversionFailures: 0,
    diskErrors: 0,
  };
}

function without(entries: readonly Kept[], url: string): readonly Kept[] {
  return entries.filter((entry) => entry.url !== url);
}

function sum(entries: readonly Kept[]): number {
  return entries.reduce((sum, { bytes }) => sum + bytes.length, 0);
}
