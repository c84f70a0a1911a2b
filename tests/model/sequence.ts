import { assert, assertEquals } from "@std/assert";
import type { Media } from "../../mod.ts";
import { pathsOf, streamOf } from "../fixtures/directory/files.ts";
import { assertSame, bodyOf, Planned } from "./bodies.ts";
import { Chooser } from "./chooser.ts";
import type { CacheModel } from "./cache_model.ts";
import { play } from "./download.ts";
import { type Conversion, planDownload, randomCaps } from "./plan.ts";
import { type Stage, Subject } from "./subject.ts";

/**
 * More than the number of entries, so that each gets a millisecond of its own.
 */
const ROOM_MS = 50;

/** The age in milliseconds after which no touch may be lost. */
const SAVED_AFTER_MS = 5_000;

/**
 * Does one operation after the other on a cache and on a model, and compares
 * them.
 */
export class Sequence {
  readonly #stage: Stage;
  readonly #subject: Subject;
  readonly #model: CacheModel;
  readonly #choose: Chooser;
  #conversion: Conversion = { onlyIfSmaller: false, whenAbandoned: "finish" };

  /** Begins with an empty directory. */
  constructor(stage: Stage) {
    this.#stage = stage;
    this.#subject = new Subject(stage, randomCaps(stage.random));
    this.#model = this.#subject.model;
    this.#choose = new Chooser(stage.random, this.#model);
  }

  /** The latest operations, to find the cause of a failure. */
  get story(): string {
    return this.#subject.story.join("\n");
  }

  /** Does this many random operations. */
  async run(steps: number): Promise<void> {
    const { clock } = this.#stage;
    await this.#open();
    for (let step = 0; step < steps; step++) {
      if (this.#choose.chance(2)) clock.advance(this.#choose.draw(5));
      this.#subject.log(step);
      await this.#step();
      await this.#subject.check();
    }
    await this.#subject.end();
  }

  async #step(): Promise<void> {
    const url = this.#choose.url();
    const draw = this.#choose.draw(100);
    if (draw <= 4) return await this.#crowd(url, this.#choose.url());
    if (draw <= 24) return await this.#download(url);
    if (draw <= 28) return await this.#download(url, true);
    if (draw <= 42) return await this.#put(url, false);
    if (draw <= 49) return await this.#put(url, true);
    if (draw <= 66) return await this.#get(url);
    if (draw <= 72) return await this.#getByKey(url);
    if (draw <= 79) return await this.#lookAt(url);
    if (draw <= 84) return await this.#delete(url);
    if (draw <= 85 && this.#choose.chance(3)) return await this.#clear();
    if (draw <= 88) return await this.#pass();
    if (draw <= 90) return await this.#verify();
    if (draw <= 93) return await this.#reopen(true);
    if (draw <= 95) return await this.#reopen(false);
    return await this.#failPut(url);
  }

  async #get(url: string): Promise<void> {
    this.#subject.log("get", url);
    await this.#expectHit(await this.#subject.cache.get(url), url);
  }

  async #getByKey(url: string): Promise<void> {
    const peek = this.#choose.chance(2);
    this.#subject.log("getByKey", url, peek);
    const { key } = pathsOf("", url);
    const media = await this.#subject.cache.getByKey(key, { peek });
    if (!peek) return await this.#expectHit(media, url);
    const known = this.#model.find(url);
    assertEquals(media !== undefined, known !== undefined);
    if (media && known) assertSame(await media.bytes(), known.bytes);
  }

  async #expectHit(media: Media | undefined, url: string): Promise<void> {
    const model = this.#model;
    const known = model.find(url);
    assertEquals(media !== undefined, known !== undefined, `hit of ${url}`);
    if (media === undefined || known === undefined) return;
    assertEquals(media.source, model.hit(url), "source");
    assertEquals(media.size, known.bytes.length);
    if (this.#choose.chance(4)) return await media[Symbol.asyncDispose]();
    assertSame(await media.bytes(), known.bytes);
  }

  async #lookAt(url: string): Promise<void> {
    this.#subject.log("has", url);
    const known = this.#model.find(url);
    const { key } = pathsOf("", url);
    assertEquals(await this.#subject.cache.has(url), known !== undefined);
    const info = await this.#subject.cache.infoByKey(key);
    assertEquals(info?.size, known?.bytes.length);
    assertEquals(await this.#subject.cache.joinByKey(key), undefined);
  }

  async #put(url: string, replace: boolean): Promise<void> {
    const model = this.#model;
    const bytes = this.#choose.body();
    const size = bytes.length;
    const form = this.#choose.pick(["bytes", "blob", "stream"] as const);
    this.#subject.log("put", url, size, form, replace);
    const known = model.find(url);
    const { stream } = streamOf(bytes.subarray(0, 100), bytes.subarray(100));
    const data = { bytes, blob: new Blob([bytes]), stream }[form];

    const stored = await this.#subject.cache.put(url, data, "", "", {
      replace,
    });

    if (known !== undefined && !replace) {
      assertEquals(stored, true);
      model.touch(url);
      if (this.#subject.isLazy) model.keepInMemory(known);
      if (form !== "stream") await stream.cancel();
      return;
    }
    const fits = size > 0 && size <= model.caps.maxEntryBytes;
    assertEquals(stored, fits);
    if (fits) this.#model.store(url, bytes);
    if (form !== "stream") await stream.cancel();
  }

  async #failPut(url: string): Promise<void> {
    this.#subject.log("put that fails", url);
    const known = this.#model.find(url);
    const { stream } = streamOf(bodyOf(0, 20), new Planned());
    const put = this.#subject.cache.put(url, stream, "", "", { replace: true })
      .catch((error) => error);
    const failed = this.#model.caps.maxEntryBytes >= 20;
    if (failed) assert(await put instanceof Planned);
    else assertEquals(await put, false);
    assertEquals(this.#model.find(url), known);
  }

  async #download(url: string, isGif = false): Promise<void> {
    const { random } = this.#stage;
    const model = this.#model;
    const { caps } = model;
    const plan = planDownload(random, caps, this.#conversion, {
      body: this.#choose.body(),
      isGif,
    });
    const { bytes, result, declared, failsAt, form, callers } = plan;
    const sizes = [bytes.length, result.length, declared, failsAt];
    this.#subject.log("download", url, isGif, form, ...sizes, ...callers);
    if (model.find(url) !== undefined) {
      return await this.#expectHit(
        await this.#subject.cache.getOrDownload(
          url,
          () => Promise.reject("a hit"),
        ),
        url,
      );
    }
    this.#subject.expectDownload();
    const onPull = () => this.#subject.onPull();
    await play(this.#subject.cache, url, plan, random, onPull);
    model.counts.misses += callers.length;
    model.counts.coalesced += callers.length - 1;
    if (plan.isFailure) model.counts.failures++;
    if (plan.isFailure === undefined) {
      model.counts.failures = this.#subject.cache.stats().failures;
    }
    if (plan.video === "made") model.counts.conversions++;
    if (plan.video === "failed") model.counts.conversionFailures++;
    if (plan.isStored) this.#model.store(url, result);
  }

  /**
   * One download takes the room that another would need, or leaves just enough.
   */
  async #crowd(first: string, second: string): Promise<void> {
    const { random } = this.#stage;
    const { caps, counts } = this.#model;
    const size = Math.min(
      this.#choose.draw(caps.maxEntryBytes),
      caps.maxEntryBytes,
    );
    const isKnown = [first, second].some((url) => this.#model.find(url));
    if (isKnown || first === second || size < 6) return;
    const free = caps.maxEntryBytes - size;
    const plan = (bytes: Uint8Array<ArrayBuffer>, isStored?: boolean) => ({
      ...{ bytes, result: bytes, declared: bytes.length, failsAt: undefined },
      ...{ isHeld: true, form: "stream", callers: ["read"] } as const,
      ...{ isBroken: false, isStored },
    });
    const held = plan(this.#choose.body(size), true);
    const other = this.#choose.body(this.#choose.pick([6, free, free + 1]));
    // The first may lend what it has not received, by its pace.
    const mayBorrow = other.length > free;
    const isStored = mayBorrow ? undefined : other.length > 0;
    this.#subject.log("crowd", first, size, second, other.length);
    const declared = this.#choose.pick([undefined, other.length]);
    const rest = { ...plan(other, isStored), declared, isHeld: false };
    const { cache } = this.#subject;
    await play(cache, first, held, random, () => {}, async () => {
      await play(cache, second, rest, random, () => {});
      const isThere = isStored ?? await cache.has(second);
      if (isThere) this.#model.store(second, other);
    });
    this.#model.store(first, held.bytes);
    counts.misses += 2;
  }

  async #delete(url: string): Promise<void> {
    this.#subject.log("delete", url);
    const { key } = pathsOf("", url);
    // A key alone does not tell whose leftover it is.
    const deleted = this.#model.hasStray(url) || this.#choose.chance(2)
      ? await this.#subject.cache.delete(url)
      : await this.#subject.cache.deleteByKey(key);
    assertEquals(deleted, this.#model.find(url) !== undefined);
    this.#model.remove(url);
    this.#model.forgetStrays(url);
  }

  async #clear(): Promise<void> {
    this.#subject.log("clear");
    await this.#subject.cache.clear();
    for (const { url } of this.#model.entries) this.#model.remove(url);
  }

  async #verify(): Promise<void> {
    const { entries, bytes, problems } = await this.#subject.cache.verify();
    const model = this.#model;
    assertEquals([entries, bytes], [model.entries.length, model.bytes]);
    assertEquals(problems.length, model.strays.size);
  }

  async #pass(): Promise<void> {
    this.#subject.log("pass");
    await this.#subject.pass(SAVED_AFTER_MS + this.#choose.draw(100_000));
  }

  /**
   * Closes the cache, or leaves as a killed process does, and opens another.
   */
  async #reopen(close: boolean): Promise<void> {
    const { clock } = this.#stage;
    this.#subject.log(close ? "close" : "leave");
    clock.advance(ROOM_MS);
    await this.#subject.leave(close);
    clock.advance(ROOM_MS);
    if (this.#choose.chance(2)) {
      const ending = this.#choose.pick([".dat", ".json", ".0.part"]);
      const url = this.#choose.url();
      this.#subject.log("stray", url, ending);
      const timeMs = clock.now - this.#choose.draw(1_000_000);
      const bytes = bodyOf(0, this.#choose.draw(1000));
      this.#subject.leaveStray(url, ending, bytes, timeMs);
    }
    await this.#open();
    // Before any call has needed the whole directory.
    if (this.#subject.isLazy) await this.#step();
  }

  async #open(): Promise<void> {
    const { random } = this.#stage;
    const caps = this.#choose.chance(2) ? this.#model.caps : randomCaps(random);
    this.#conversion = {
      whenAbandoned: this.#choose.pick(["finish", "abort"]),
      onlyIfSmaller: this.#choose.chance(3),
    };
    this.#subject.log("open", ...Object.values(caps));
    await this.#subject.open(caps, this.#conversion, this.#choose.chance(3));
  }
}
