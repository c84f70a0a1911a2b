import type { Download, Media, MediaCache } from "../../mod.ts";
import type { Random } from "../fixtures/inputs/random.ts";
import { bodyOf, isRight, sizeOf } from "./bodies.ts";
import { FAULTS, type Faults, Planned } from "./faults.ts";
import type { Tally } from "./tally.ts";

/** The parts that all callers share. */
export interface World {
  /** The cache they call. */
  readonly cache: MediaCache;
  /** The origin's address. */
  readonly origin: string;
  /** The number of URLs. */
  readonly urls: number;
  /** One of this many downloads is broken; none if infinite. */
  readonly faultyOneIn: number;
  /** The broken downloads and the disturbances. */
  readonly faults: Faults;
  /** The record of results. */
  readonly tally: Tally;
  /** The source of random choices. */
  readonly random: Random;
  /** Connections to the origin. */
  readonly client: Deno.HttpClient;
  /** Ends all callers. */
  readonly signal: AbortSignal;
}

/**
 * Uses a cache as the handlers of a busy bot do, and checks every byte that it
 * gets.
 */
export class Caller {
  /** The current call, for errors about a hang. */
  doing = "nothing";
  readonly #world: World;

  /** A caller; `run()` starts its calls. */
  constructor(world: World) {
    this.#world = world;
  }

  /** Calls until the end. */
  async run(): Promise<void> {
    const { signal, tally, faults } = this.#world;
    while (!signal.aborted) {
      const id = this.#id();
      const since = performance.now();
      try {
        await this.#call(id);
      } catch (error) {
        tally.error(error);
        if (!faults.explains(id, error, since)) {
          tally.wrong(
            `unexplained: ${error instanceof Error ? error.stack : error}`,
          );
        }
      }
      this.doing = "nothing";
      await pause(this.#draw(20));
    }
    this.doing = "it has ended";
  }

  async #call(id: number): Promise<void> {
    const { cache } = this.#world;
    const draw = this.#draw(100);
    const url = this.#url(id);
    if (draw <= 75) return await this.#download(id);
    if (draw <= 87) {
      this.#note("get", id);
      const media = await cache.get(url);
      return media && await this.#read(id, media);
    }
    if (draw <= 92) {
      this.#note("put", id);
      const replace = this.#chance(2);
      const data = this.#chance(2) ? bodyOf(id) : new Blob([bodyOf(id)]);
      await cache.put(url, data, "image/png", "a.png", { replace });
      return;
    }
    if (draw <= 95) {
      this.#note("delete", id);
      await cache.delete(url);
      return;
    }
    this.#note("has", id);
    await cache.has(url);
  }

  async #download(id: number): Promise<void> {
    const { cache } = this.#world;
    this.#note("getOrDownload", id);
    const controller = new AbortController();
    const leave = () => controller.abort(new Planned());
    if (this.#chance(50)) leave();
    else if (this.#chance(30)) setTimeout(leave, this.#draw(50));
    const media = await cache.getOrDownload(
      this.#url(id),
      ({ signal }) => this.#fetch(id, signal),
      { signal: controller.signal },
    );
    await this.#read(id, media);
  }

  async #fetch(id: number, signal: AbortSignal): Promise<Response | Download> {
    const { client, faults, faultyOneIn, random } = this.#world;
    const isFaulty = faultyOneIn < Infinity && this.#chance(faultyOneIn);
    const fault = isFaulty ? random.pick(FAULTS) : undefined;
    faults.note(id, fault);
    if (fault === "refused") throw new Planned();
    const form = fault === "short"
      ? "sized"
      : random.pick(["response", "response", "chunked", "sized"] as const);
    const query = new URLSearchParams();
    if (fault !== undefined) query.set("fault", fault);
    if (form !== "response") query.set("chunked", "");
    const url = `${this.#url(id)}?${query}`;
    const response = await fetch(url, { signal, client });
    if (form !== "sized" || !response.ok || response.body === null) {
      return response;
    }
    return { data: response.body, mimetype: "image/png", size: sizeOf(id) };
  }

  async #read(id: number, media: Media): Promise<void> {
    const draw = this.#draw(40);
    this.doing += `, read ${media.source} in way ${draw}`;
    switch (draw) {
      case 1:
        return await media[Symbol.asyncDispose]();
      case 2:
        return await media.body.cancel();
      case 3:
        // Neither read nor disposed: the garbage collector has to release it.
        return;
      case 4:
      case 5:
        return await this.#readSlice(id, media);
      case 6:
      case 7:
        return this.#checkAll(id, await media.bytes());
      case 8:
        return this.#checkAll(id, await media.response().bytes());
      case 9:
        return await this.#readInto(id, media);
      default:
        return await this.#readStream(id, media, draw);
    }
  }

  async #readStream(id: number, media: Media, draw: number): Promise<void> {
    const isSlow = draw === 10;
    const leavesAt = draw <= 13 ? sizeOf(id) / 2 : Infinity;
    const reader = media.body.getReader();
    let position = 0;
    for (;;) {
      const { value } = await reader.read();
      if (value === undefined) break;
      this.#check(id, position, value);
      position += value.length;
      if (position >= leavesAt) return await reader.cancel();
      if (isSlow) await pause(this.#draw(5));
    }
    this.#end(id, position);
  }

  async #readInto(id: number, media: Media): Promise<void> {
    if (media.source === "download") {
      return await this.#readStream(id, media, 40);
    }
    const reader = media.body.getReader({ mode: "byob" });
    let buffer = new ArrayBuffer(100_000);
    let position = 0;
    for (;;) {
      const { value, done } = await reader.read(new Uint8Array(buffer));
      if (done || value === undefined) break;
      this.#check(id, position, value);
      position += value.length;
      buffer = value.buffer;
    }
    this.#end(id, position);
  }

  async #readSlice(id: number, media: Media): Promise<void> {
    const size = sizeOf(id);
    const start = this.#draw(size) - 1;
    const end = Math.min(size, start + this.#draw(size));
    const bytes = await new Response(media.slice(start, end)).bytes();
    this.#check(id, start, bytes);
    if (bytes.length !== end - start) {
      this.#wrong(id, `slice of ${bytes.length} instead of ${end - start}`);
    }
    await media[Symbol.asyncDispose]();
  }

  #checkAll(id: number, bytes: Uint8Array): void {
    this.#check(id, 0, bytes);
    this.#end(id, bytes.length);
  }

  #check(id: number, position: number, bytes: Uint8Array): void {
    this.#world.tally.checkedBytes += bytes.length;
    if (!isRight(id, position, bytes)) {
      this.#wrong(id, `wrong bytes at ${position}, ${bytes.length} of them`);
    }
  }

  #end(id: number, position: number): void {
    if (position === sizeOf(id)) this.#world.tally.wholeBodies++;
    else this.#wrong(id, `a clean end at ${position} of ${sizeOf(id)}`);
  }

  #wrong(id: number, what: string): void {
    this.#world.tally.wrong(`${id}: ${what}`);
  }

  #note(call: string, id: number): void {
    this.#world.tally.call(call);
    this.doing = `${call} ${id} of ${sizeOf(id)} bytes`;
  }

  #url(id: number): string {
    return `${this.#world.origin}/${id}`;
  }

  /** A few URLs are asked for often, most hardly ever. */
  #id(): number {
    const { urls } = this.#world;
    const share = this.#draw(1_000_000) / 1_000_000;
    return Math.min(urls - 1, Math.floor(urls ** share) - 1);
  }

  #draw(max: number): number {
    return this.#world.random.integer(1, Math.max(1, max));
  }

  #chance(of: number): boolean {
    return this.#draw(of) === 1;
  }
}

/** Waits a moment, as between two messages. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
