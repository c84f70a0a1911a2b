/**
 * Runs the steps of one scenario, to be killed on the way. The begin and end of
 * each step are noted in the log of the fault injector, so that they stand
 * among the operations.
 */
import { existsSync } from "node:fs";
import { join } from "@std/path";
import { MediaCache } from "../../mod.ts";
import { indexEverything } from "../fixtures/cache/indexing.ts";
import { keyOf } from "../../src/core/text/key.ts";
import { pattern } from "../fixtures/bodies/bytes.ts";
import { turn } from "../fixtures/cache/recorder.ts";
import {
  GIF,
  type Scenario,
  type Step,
  type Version,
} from "./crash_scenarios.ts";

/** The arguments of the worker. */
export interface WorkerTask {
  cacheDir: string;
  log: string;
  durable: boolean;
  /** The program that converts GIFs. */
  ffmpeg: string;
  scenario: Scenario;
}

const { cacheDir, log, durable, ffmpeg, scenario }: WorkerTask = JSON.parse(
  Deno.args[0] ?? "",
);

function note(text: string): void {
  Deno.writeTextFileSync(log, `${text}\n`, { append: true });
}

/**
 * The bytes in pieces, one at a time, all but the first behind a gate; an error
 * replaces the last.
 */
function stream(
  bytes: Uint8Array<ArrayBuffer>,
  breaks: boolean,
  gate?: Promise<void>,
): ReadableStream<Uint8Array> {
  const step = Math.ceil(bytes.length / 3);
  let position = 0;
  return new ReadableStream({
    async pull(controller) {
      if (position > 0) await gate;
      if (breaks && position + step >= bytes.length) {
        return controller.error(new Planned());
      }
      controller.enqueue(bytes.slice(position, position + step));
      position += step;
      if (position >= bytes.length) controller.close();
    },
  }, { highWaterMark: 0 });
}

class Planned extends Error {}

/** Waits until other processes can read the running download. */
async function described(url: string): Promise<void> {
  const path = join(cacheDir, `${keyOf(url)}.description.part`);
  while (!existsSync(path)) await turn();
}

function bytesOf({ isGif, size, seed }: Version): Uint8Array<ArrayBuffer> {
  return isGif ? GIF : pattern(size, seed);
}

async function run(cache: MediaCache, step: Step): Promise<void> {
  switch (step.do) {
    case "put": {
      const { mimetype, filename, url } = step.version;
      const bytes = bytesOf(step.version);
      const data = step.as === "bytes"
        ? bytes
        : stream(bytes, step.as === "broken stream");
      const stored = await cache.put(url, data, mimetype, filename, {
        replace: true,
      });
      if (!stored) throw new Error(`Cannot put ${url}`);
      return;
    }
    case "download": {
      const { mimetype, filename, url, size } = step.version;
      const { isGif } = step.version;
      const gate = Promise.withResolvers<void>();
      if (isGif) gate.resolve();
      const data = stream(
        bytesOf(step.version),
        step.as === "broken",
        gate.promise,
      );
      const media = await cache.getOrDownload(url, () => {
        const download = { data, mimetype, filename };
        return Promise.resolve(
          step.as === "known" ? { ...download, size } : download,
        );
      });
      // Only a body that takes a while gets a description for others.
      if (!isGif) await described(url);
      if (step.as !== "deleted") gate.resolve();
      else {
        const reader = media.body.getReader();
        await reader.read();
        await cache.delete(url);
        gate.resolve();
        while (!(await reader.read()).done);
        if (await media.stored) throw new Error(`${url} is stored`);
        return;
      }
      await media.bytes();
      if (!await media.stored) throw new Error(`Cannot store ${url}`);
      return;
    }
    case "get": {
      await using media = await cache.get(step.url);
      if (media === undefined) throw new Error(`Cannot get ${step.url}`);
      await media.bytes();
      return;
    }
    case "delete":
      await cache.delete(step.url);
      return;
    case "clear":
      return await cache.clear();
    case "verify":
      await cache.verify({ fix: true });
      return;
    case "close":
      return await cache.close();
  }
}

const faults: unknown[] = [];
if (scenario.isIndexed) indexEverything();
const cache = await MediaCache.open({
  cacheDir,
  durable,
  gifToMp4: { ffmpeg },
  maxSizeMb: scenario.maxSizeMb,
  onEvent: (event) => {
    if (event.type === "diskError") faults.push(event.error);
  },
});
for (const [i, { step }] of scenario.steps.entries()) {
  note(`begin ${i}`);
  try {
    await run(cache, step);
  } catch (error) {
    if (!(error instanceof Planned)) throw error;
  }
  note(`end ${i}`);
}
if (faults.length > 0) throw new AggregateError(faults);
