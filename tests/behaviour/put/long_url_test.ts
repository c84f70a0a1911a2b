import { assertEquals } from "@std/assert";
import { MediaCache } from "../../../mod.ts";
import {
  fitsSidecar,
  MAX_SIDECAR_BYTES,
} from "../../../src/core/disk/sidecar.ts";
import { bytesOf, namesIn, pathsOf } from "../../fixtures/directory/files.ts";
import { Recorder } from "../../fixtures/cache/recorder.ts";
import { gifOfDelays } from "../../fixtures/gif/gif_writer.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

/** A URL that takes this many bytes in a sidecar. */
function longUrl(bytes: number, filling = "A"): string {
  const scheme = "data:image/png,";
  const size = new TextEncoder().encode(filling).length;
  return scheme + filling.repeat((bytes - scheme.length) / size);
}

const TOO_LONG = longUrl(2 * MAX_SIDECAR_BYTES);
const REASON = "its URL is too long for a sidecar";

Deno.test("put() stores no body whose URL is too long for a sidecar, and states the reason", async () => {
  await using dir = await tempDir();
  const recorder = new Recorder();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    onEvent: recorder.onEvent,
  });
  let pulls = 0;
  const stream = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      pulls++;
      controller.enqueue(bytesOf(3));
      controller.close();
    },
  }, { highWaterMark: 0 });

  for (const data of [bytesOf(3), stream]) {
    const replace = data === stream;
    assertEquals(
      await cache.put(TOO_LONG, data, "image/png", "a.png", { replace }),
      false,
    );
  }

  assertEquals(recorder.of("uncached").map(({ reason }) => reason), [
    REASON,
    REASON,
  ]);
  // Nothing was staged for it.
  assertEquals([pulls, await namesIn(dir.path)], [0, []]);
  assertEquals(cache.stats().diskErrors, 0);
});

Deno.test("a download whose URL is too long for a sidecar is uncached, with the reason", async () => {
  await using dir = await tempDir();
  const recorder = new Recorder();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    onEvent: recorder.onEvent,
  });
  const names: string[][] = [];
  const bodies = [bytesOf(3), gifOfDelays([10, 10])];

  for (const data of bodies) {
    const media = await cache.getOrDownload(TOO_LONG, async () => {
      names.push(await namesIn(dir.path));
      return { data };
    });
    names.push(await namesIn(dir.path));
    assertEquals(await media.bytes(), data);
    assertEquals(await media.stored, false);
  }

  assertEquals(recorder.of("uncached").map(({ reason }) => reason), [
    REASON,
    REASON,
  ]);
  assertEquals(names.flat(), []);
  assertEquals([cache.stats().diskErrors, cache.stats().entries], [0, 0]);
  assertEquals(await cache.get(TOO_LONG), undefined);
});

Deno.test("a URL that just fits into a sidecar is stored, and found after a restart", async () => {
  await using dir = await tempDir();
  const long = MAX_SIDECAR_BYTES - 5000;
  // Escaped characters, and characters of several bytes in UTF-8.
  const urls = [longUrl(long), longUrl(long / 6, "\u0001"), longUrl(long, "é")];
  {
    await using cache = await MediaCache.open({ cacheDir: dir.path });
    for (const url of urls) {
      assertEquals(await cache.put(url, bytesOf(3), "image/png", "a"), true);
      const { size } = await Deno.stat(pathsOf(dir.path, url).json);
      assertEquals(size <= MAX_SIDECAR_BYTES, true);
    }
  }
  await using cache = await MediaCache.open({ cacheDir: dir.path });
  for (const url of urls) assertEquals(await cache.has(url), true);
});

Deno.test("fitsSidecar() counts the bytes of every member of the sidecar", () => {
  const [mimetype, filename] = ["image/png", "a.png"];
  for (const filling of ["A", "é", "€", "🦕", "\u0001", '"', "\\"]) {
    const fits = (length: number) => {
      const url = longUrl(length, filling);
      return fitsSidecar({ url, mimetype, filename });
    };
    const written = JSON.stringify(filling).length > filling.length + 2
      ? JSON.stringify(filling).length - 2
      : new TextEncoder().encode(filling).length;
    const size = new TextEncoder().encode(filling).length;
    const most = (MAX_SIDECAR_BYTES - 4200) * size / written;
    assertEquals([fits(most), fits(most * 1.01)], [true, false], filling);
  }
  const most = longUrl(MAX_SIDECAR_BYTES - 4200);
  const name = "n".repeat(200);
  assertEquals(fitsSidecar({ url: most, mimetype, filename: name }), false);
});
