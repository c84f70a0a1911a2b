import { assert, assertEquals } from "@std/assert";
import {
  type Media,
  MediaCache,
  MediaCacheError,
  type MediaCacheOptions,
} from "../mod.ts";
import { pattern } from "./fixtures/bytes.ts";
import { SlowDisk } from "./fixtures/disk_faults.ts";
import { Recorder, turn } from "./fixtures/recorder.ts";
import { Random } from "./fixtures/random.ts";
import { tempDir } from "./fixtures/temp_dir.ts";
import { namesIn } from "./fixtures/files.ts";

const URLS = ["a:", "b:", "c:", "d:", "e:"];
const MAX_BYTES = 1_500_000;
const PATTERN = pattern(700_000);

/** Errors that a test causes on purpose. */
class Planned extends Error {}

/** A body that tells its number and length in its first eight bytes. */
function bodyOf(number: number, size: number): Uint8Array<ArrayBuffer> {
  const body = PATTERN.slice(0, Math.max(size, 8));
  const view = new DataView(body.buffer);
  view.setUint32(0, number);
  view.setUint32(4, body.length);
  return body;
}

/** Checks that bytes are one whole body, whichever. */
function assertWhole(bytes: Uint8Array<ArrayBuffer>): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const wanted = bodyOf(view.getUint32(0), view.getUint32(4));
  assertEquals(bytes.length, wanted.length);
  assert(bytes.every((byte, i) => byte === wanted[i]), "a mixed body");
}

/** Does at random whatever a cache can be asked to do. */
class Player {
  readonly #cache: MediaCache;
  readonly #random: Random;
  readonly #pending: Promise<void>[] = [];
  #bodies = 0;

  constructor(cache: MediaCache, random: Random) {
    this.#cache = cache;
    this.#random = random;
  }

  async play(steps: number): Promise<void> {
    for (let step = 0; step < steps; step++) {
      try {
        await this.#step();
      } catch (error) {
        if (!(error instanceof Planned || error instanceof MediaCacheError)) {
          throw error;
        }
      }
      const { totalBytes } = this.#cache.stats();
      assert(totalBytes <= MAX_BYTES, `${totalBytes}`);
      if (this.#chance(3)) await turn();
    }
  }

  /** What was begun besides. */
  async done(): Promise<void> {
    await Promise.all(this.#pending);
  }

  #abortSoon(controller: AbortController): void {
    this.#pending.push(turn().then(() => controller.abort(new Planned())));
  }

  async #step(): Promise<unknown> {
    const cache = this.#cache;
    const url = URLS[this.#random.integer(0, URLS.length - 1)]!;
    switch (this.#random.integer(0, 11)) {
      case 0:
        return await cache.delete(url);
      case 1:
        return this.#chance(5) && await cache.clear();
      case 2:
      case 3:
        return await cache.put(url, this.#stream(), "", "", {
          replace: this.#chance(2),
        });
      case 4:
      case 5:
      case 6: {
        const media = await cache.get(url);
        return media && await this.#read(media);
      }
      default:
        return await this.#download(url);
    }
  }

  async #download(url: string): Promise<void> {
    const controller = new AbortController();
    const { signal } = controller;
    const call = this.#cache.getOrDownload(url, async () => {
      if (this.#chance(2)) await turn();
      if (this.#chance(10)) throw new Planned();
      const size = this.#chance(10) ? { size: 12_345 } : {};
      return { data: this.#stream(), ...size };
    }, { signal });
    if (this.#chance(8)) queueMicrotask(() => controller.abort(new Planned()));
    const media = await call;
    if (this.#chance(8)) this.#abortSoon(controller);
    await this.#read(media);
    if (this.#chance(4)) await media.stored;
  }

  async #read(media: Media): Promise<void> {
    if (this.#chance(3)) await turn();
    if (this.#chance(10)) return await media.body.cancel();
    if (this.#chance(10)) return await media[Symbol.asyncDispose]();
    if (this.#chance(5)) {
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
      if (this.#chance(20)) return await reader.cancel();
      if (this.#chance(5)) await turn();
    }
    assertWhole(await new Blob(chunks).bytes());
  }

  #stream(): ReadableStream<Uint8Array> {
    const body = bodyOf(++this.#bodies, this.#random.integer(8, 700_000));
    const step = this.#random.integer(10_000, 200_000);
    const fails = this.#chance(10);
    let position = 0;
    return new ReadableStream({
      pull: async (controller) => {
        if (this.#chance(3)) await turn();
        controller.enqueue(body.slice(position, position + step));
        position += step;
        if (position < body.length) return;
        if (fails) controller.error(new Planned());
        else controller.close();
      },
    }, { highWaterMark: 0 });
  }

  #chance(of: number): boolean {
    return this.#random.integer(1, of) === 1;
  }
}

const settings: Record<string, MediaCacheOptions> = {
  "with memory": { maxMemoryItems: 2 },
  "on disk alone": { maxMemoryItems: 0 },
  "with little room for what runs": { maxEntryMb: 0.4, whenAbandoned: "abort" },
  "with few downloads at a time": { maxConcurrentDownloads: 2 },
};
for (const slow of [false, true]) {
  for (const [what, options] of Object.entries(settings)) {
    Deno.test(`nothing is mixed, lost or left by random use ${what}${slow ? " on a slow disk" : ""}`, async () => {
      await using temp = await tempDir();
      const random = new Random();
      const recorder = new Recorder();
      using _disk = slow ? new SlowDisk() : undefined;
      try {
        const cache = await MediaCache.open({
          cacheDir: temp.path,
          maxSizeMb: MAX_BYTES / 2 ** 20,
          onEvent: recorder.onEvent,
          ...options,
        });
        const players = Array.from(
          { length: 8 },
          () => new Player(cache, random),
        );
        const plays = players.map((player) => player.play(40));
        const ends = await Promise.allSettled(plays);
        for (const player of players) await player.done();
        await cache.close();
        for (const end of ends) {
          if (end.status === "rejected") throw end.reason;
        }

        const { entries, stagedBytes, inFlight } = cache.stats();
        assertEquals([stagedBytes, inFlight], [0, 0]);
        const faults = recorder.of("diskError")
          .map(({ operation, error }) => `${operation}: ${error}`);
        assertEquals(faults, []);
        const names = await namesIn(temp.path);
        assertEquals(names.length, 2 * entries);
        await using again = await MediaCache.open({ cacheDir: temp.path });
        assertEquals(again.stats().entries, entries);
        for (const url of URLS) {
          const media = await again.get(url);
          if (media !== undefined) assertWhole(await media.bytes());
        }
      } catch (error) {
        throw new Error(random.hint, { cause: error });
      }
    });
  }
}
