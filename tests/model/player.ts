import { assert, assertEquals } from "@std/assert";
import { type Media, type MediaCache, MediaCacheError } from "../../mod.ts";
import { keyOf } from "../../src/core/text/key.ts";
import type { Random } from "../fixtures/inputs/random.ts";
import { turn } from "../fixtures/cache/recorder.ts";
import {
  assertWhole,
  bodyOf,
  gifOf,
  MIN_VIDEO_BYTES,
  Planned,
} from "./bodies.ts";

/** The URLs that all players use. */
export const URLS: readonly string[] = ["a:", "b:", "c:", "d:", "e:", "f:"];

/** The longest body that players use. */
const MAX_BYTES = 700_000;

/** Does random operations on a cache, concurrently with other players. */
export class Player {
  readonly #cache: MediaCache;
  readonly #random: Random;
  readonly #look: () => void;
  readonly #pending: Promise<void>[] = [];
  #bodies = 0;

  /** Calls `look` whenever a change may have happened. */
  constructor(cache: MediaCache, random: Random, look: () => void) {
    this.#cache = cache;
    this.#random = random;
    this.#look = look;
  }

  /** Does this many operations, one after the other. */
  async play(steps: number): Promise<void> {
    for (let step = 0; step < steps; step++) {
      try {
        await this.#step();
      } catch (error) {
        if (!(error instanceof Planned || error instanceof MediaCacheError)) {
          throw error;
        }
      }
      this.#look();
      if (this.#random.chance(3)) await turn();
    }
    await Promise.all(this.#pending);
  }

  async #step(): Promise<unknown> {
    const cache = this.#cache;
    const random = this.#random;
    const url = random.pick(URLS);
    switch (random.integer(0, 13)) {
      case 0:
        return await cache.delete(url);
      case 1:
        return random.chance(5) && await cache.clear();
      case 2:
        return await this.#put(url, bodyOf(++this.#bodies, this.#size()));
      case 3:
      case 4:
        return await this.#put(url, this.#stream());
      case 5:
      case 6: {
        const media = await cache.get(url);
        return media && await this.#read(media);
      }
      case 7: {
        const peek = random.chance(2);
        const media = await cache.getByKey(keyOf(url), { peek });
        return media && await this.#read(media);
      }
      case 8:
        return await this.#ask(url);
      default:
        return await this.#download(url);
    }
  }

  async #ask(url: string): Promise<void> {
    await this.#cache.has(url);
    const { entries, totalBytes, stagedBytes } = this.#cache.stats();
    assert(entries >= 0 && totalBytes >= 0 && stagedBytes >= 0);
    const infos = await Array.fromAsync(this.#cache.entries());
    const accesses = infos.map(({ lastAccess }) => lastAccess);
    assertEquals(accesses, accesses.toSorted((a, b) => b - a));
  }

  async #put(
    url: string,
    data: Uint8Array | ReadableStream<Uint8Array>,
  ): Promise<void> {
    const replace = this.#random.chance(2);
    await this.#cache.put(url, data, "", "", { replace });
  }

  async #download(url: string): Promise<void> {
    const random = this.#random;
    const controller = new AbortController();
    const { signal } = controller;
    const call = this.#cache.getOrDownload(url, async () => {
      if (random.chance(2)) await turn();
      if (random.chance(10)) throw new Planned();
      const size = random.chance(10) ? { size: 12_345 } : {};
      const isGif = random.chance(20);
      const data = isGif
        ? gifOf(random.integer(1_000, MAX_BYTES), this.#size())
        : this.#stream();
      return { data, mimetype: "application/x-test", ...size };
    }, { signal });
    if (random.chance(8)) queueMicrotask(() => controller.abort(new Planned()));
    const media = await call;
    if (random.chance(8)) {
      const abort = () => controller.abort(new Planned());
      this.#pending.push(turn().then(abort));
    }
    await this.#read(media);
    if (random.chance(4)) await media.stored;
  }

  async #read(media: Media): Promise<void> {
    const random = this.#random;
    if (random.chance(3)) await turn();
    if (random.chance(10)) return await media.body.cancel();
    if (random.chance(10)) return await media[Symbol.asyncDispose]();
    if (random.chance(5)) {
      const slices = [media.slice(0, 10), media.slice(10)];
      const parts = await Promise.all(
        slices.map((slice) => new Response(slice).bytes()),
      );
      assertWhole(await new Blob(parts).bytes());
      return await media[Symbol.asyncDispose]();
    }
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    const reader = media.body.getReader();
    for (;;) {
      const { value } = await reader.read();
      if (value === undefined) break;
      chunks.push(value);
      if (random.chance(20)) return await reader.cancel();
      if (random.chance(5)) await turn();
    }
    assertWhole(await new Blob(chunks).bytes());
  }

  #stream(): ReadableStream<Uint8Array> {
    const random = this.#random;
    const body = bodyOf(++this.#bodies, this.#size());
    const step = random.integer(10_000, 200_000);
    const fails = random.chance(10);
    let position = 0;
    return new ReadableStream({
      pull: async (controller) => {
        if (random.chance(3)) await turn();
        this.#look();
        controller.enqueue(body.slice(position, position + step));
        position += step;
        if (position < body.length) return;
        if (fails) controller.error(new Planned());
        else controller.close();
      },
    }, { highWaterMark: 0 });
  }

  #size(): number {
    return this.#random.integer(MIN_VIDEO_BYTES, MAX_BYTES);
  }
}
