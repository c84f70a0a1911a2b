import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { setImmediate } from "node:timers/promises";
import { MediaCache, type MediaCacheEvent } from "../../mod.ts";
import { keyOf } from "../../src/core/text/key.ts";
import type { Random } from "../fixtures/inputs/random.ts";
import { CacheModel, type Caps } from "./cache_model.ts";
import { assertAccounts, assertBounds, type Directory, look } from "./look.ts";
import type { Conversion } from "./plan.ts";
import type { StillClock } from "./still_clock.ts";

/** Calls that change nothing in the directory. */
const QUIET: ReadonlySet<MediaCacheEvent["type"]> = new Set([
  "hit",
  "joined",
  "miss",
  "skipped",
]);

const MB = 1_048_576;

/** The parts that a test of a cache needs. */
export interface Stage {
  /** The cache's directory. */
  readonly dir: string;
  /** The program that makes videos of GIFs. */
  readonly ffmpeg: string;
  /** The source of random choices. */
  readonly random: Random;
  /** The time. */
  readonly clock: StillClock;
}

/** A cache, and the model that it is compared with. */
export class Subject {
  /** The model. */
  readonly model: CacheModel;
  /** The latest operations. */
  readonly story: string[] = [];
  readonly #stage: Stage;
  #cache = new MediaCache();
  readonly #left: MediaCache[] = [];
  readonly #evicted: string[] = [];
  #uncached = false;
  #failure: unknown;
  /** Whether the cache may not have read all of its directory yet. */
  isLazy = false;

  /** A subject without a cache; `open()` opens the first. */
  constructor(stage: Stage, caps: Caps) {
    this.#stage = stage;
    this.model = new CacheModel(caps);
  }

  /** The cache that is open now. */
  get cache(): MediaCache {
    return this.#cache;
  }

  /** Records an operation. */
  log(...words: unknown[]): void {
    this.story.push(words.join(" "));
    if (this.story.length > 60) this.story.shift();
  }

  /**
   * Opens another cache, which reads its directory now or as late as possible.
   */
  async open(caps: Caps, options: Conversion, isLazy: boolean): Promise<void> {
    const { dir, ffmpeg, clock } = this.#stage;
    const { onlyIfSmaller, whenAbandoned } = options;
    this.model.reopen(caps);
    this.isLazy = isLazy;
    this.#cache = new MediaCache({
      cacheDir: dir,
      maxSizeMb: caps.maxBytes / MB,
      maxEntryMb: caps.maxEntryBytes / MB,
      maxMemoryItems: caps.maxMemoryItems,
      maxMemoryMb: caps.maxMemoryBytes / MB,
      maxMemoryItemMb: caps.maxMemoryItemBytes / MB,
      gifToMp4: { ffmpeg, onlyIfSmaller },
      whenAbandoned,
      onEvent: (event) => this.#onEvent(event),
    });
    if (isLazy) return;
    await this.#cache.ensureLoaded();
    this.model.sweep(clock.now);
  }

  /** Closes the cache, or leaves it as a killed process does. */
  async leave(close: boolean): Promise<void> {
    if (close) {
      await this.#cache.close();
      this.model.save();
    } else {
      this.#left.push(this.#cache);
    }
    this.#stage.clock.dropTimers();
  }

  /** Releases the resources that the end of a process would release. */
  async end(): Promise<void> {
    for (const cache of [this.#cache, ...this.#left]) await cache.close();
  }

  /**
   * Lets time pass until pending touches are written and old leftovers removed.
   */
  async pass(ms: number): Promise<void> {
    const { clock } = this.#stage;
    await clock.pass(ms);
    this.model.save();
    this.model.sweep(clock.now);
  }

  /** Leaves a file in the directory that belongs to no entry. */
  leaveStray(
    url: string,
    ending: string,
    bytes: Uint8Array,
    timeMs: number,
  ): void {
    const { model } = this;
    const isOfEntry = model.find(url) && !ending.endsWith(".part");
    if (isOfEntry || model.hasStray(url)) return;
    const name = keyOf(url) + ending;
    const path = join(this.#stage.dir, name);
    Deno.writeFileSync(path, bytes);
    Deno.utimeSync(path, new Date(timeMs), new Date(timeMs));
    model.strays.set(name, { bytes: bytes.length, timeMs });
  }

  /** A download begins. */
  expectDownload(): void {
    this.#uncached = false;
  }

  /** A download is asked for its next chunk. */
  onPull(): void {
    const directory = this.#assertBounds();
    const { stagedBytes } = this.#cache.stats();
    const expected = this.#uncached ? 0 : stagedBytes;
    if (directory.stagedBytes === expected) return;
    this.#failure ??= new Error(
      `${stagedBytes} bytes are staged, but ${directory.stagedBytes} on disk`,
    );
  }

  /** Checks that the cache, its directory and the model agree. */
  async check(): Promise<void> {
    const { dir, clock } = this.#stage;
    const { model } = this;
    await this.#settle();
    const infos = await Array.fromAsync(this.#cache.entries());
    if (this.isLazy) model.sweep(clock.now);
    this.isLazy = false;
    const directory = look(dir, model.strays);
    await assertAccounts(this.#cache, directory, model.strays);
    this.#assertBounds();
    if (this.#failure !== undefined) throw this.#failure;
    assertEquals(
      infos.map(({ url, size }) => `${url} ${size}`),
      model.entries.map(({ url, bytes }) => `${url} ${bytes.length}`),
      "entries, most recent first",
    );
    assertEquals(this.#evicted, model.evicted, "victims");
    const stats = this.#cache.stats();
    assertEquals(stats, { ...stats, ...model.counts });
    assertEquals(
      [stats.entriesInMemory, stats.memoryBytes],
      [model.memory.length, model.memoryBytes],
      "memory",
    );
  }

  /**
   * Waits for the removal of a failed download's file, which comes after its
   * event.
   */
  async #settle(): Promise<void> {
    const { dir } = this.#stage;
    const { strays } = this.model;
    const isStaged = (name: string) =>
      name.endsWith(".part") && !strays.has(name);
    // Many turns, since a slow disk removes it in another thread.
    for (let i = 0; i < 100_000; i++) {
      await setImmediate();
      if (this.#cache.stats().stagedBytes > 0) continue;
      if (![...look(dir).sizes.keys()].some(isStaged)) return;
    }
  }

  #onEvent(event: MediaCacheEvent): void {
    if (event.type === "evicted") this.#evicted.push(event.url);
    if (event.type === "uncached") this.#uncached = true;
    if ("reason" in event) this.log(event.type, event.reason);
    if (!QUIET.has(event.type)) this.#assertBounds();
  }

  /** The cache ignores errors of its listeners, so a failure is kept. */
  #assertBounds(): Directory {
    const { caps, isTrimmed, strays } = this.model;
    const directory = look(this.#stage.dir, strays);
    try {
      assertBounds(this.#cache, directory, caps, isTrimmed);
    } catch (error) {
      this.#failure ??= error;
    }
    return directory;
  }
}
