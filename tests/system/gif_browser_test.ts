// A browser defines how a GIF must look.
import { assert, assertEquals } from "@std/assert";
import { basename, join } from "@std/path";
import { MediaCache } from "../../mod.ts";
import { drawInBrowser } from "../fixtures/gif/browser_gif.ts";
import { startBrowser } from "../fixtures/web/browser.ts";
import { planOf } from "../fixtures/gif/conversion.ts";
import { anyGif, drawGif } from "../fixtures/gif/gif_canvas.ts";
import { makeGif } from "../fixtures/gif/gif_writer.ts";
import { gifFixtures } from "../fixtures/gif/media.ts";
import {
  assertLooksLike,
  type Picture,
  pictures,
} from "../fixtures/gif/picture.ts";
import { Random } from "../fixtures/inputs/random.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";

/** A browser with an empty page, and a cache. */
async function open() {
  const browser = await startBrowser();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => new Response("", { headers: { "content-type": "text/html" } }),
  );
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${server.addr.port}/`);
  const temp = await tempDir();
  const cache = await MediaCache.open({ cacheDir: join(temp.path, "cache") });
  return {
    page,
    /** The frames of the video that the cache makes from a GIF. */
    async convert(gif: Uint8Array<ArrayBuffer>): Promise<Picture[]> {
      const url = `a:${crypto.randomUUID()}`;
      const data = () => Promise.resolve({ data: gif });
      const media = await cache.getOrDownload(url, data);
      assertEquals(media.mimetype, "video/mp4");
      const video = join(temp.path, "video.mp4");
      await Deno.writeFile(video, await media.bytes());
      return await pictures(video);
    },
    async [Symbol.asyncDispose]() {
      await browser[Symbol.asyncDispose]();
      await server.shutdown();
      await cache.close();
      await temp[Symbol.asyncDispose]();
    },
  };
}

Deno.test("drawGif() draws each pixel of a GIF as a browser does", async () => {
  await using opened = await open();
  const random = new Random();

  for (let round = 0; round < 60; round++) {
    const spec = anyGif(random);
    const { pictures } = await drawInBrowser(opened.page, makeGif(spec));
    assertEquals(pictures, drawGif(spec), random.hint);
  }
});

Deno.test("the video of a made-up GIF looks like the GIF in a browser", async () => {
  await using opened = await open();
  const random = new Random();

  for (let round = 0; round < 20; round++) {
    const gif = makeGif(anyGif(random));
    const drawn = await drawInBrowser(opened.page, gif);
    const found = await opened.convert(gif);
    assertEquals(found.length, drawn.pictures.length, random.hint);
    for (const [frame, picture] of drawn.pictures.entries()) {
      assertLooksLike(found[frame]!, picture, `${frame} of ${random.hint}`);
    }
  }
});

Deno.test("the videos of real GIFs look like the GIFs in a browser", async () => {
  await using opened = await open();
  let compared = 0;

  for (const path of await gifFixtures()) {
    const name = basename(path);
    if (name === "large-size-not-animated.gif") continue; // 10 megapixels
    const gif = await Deno.readFile(path);
    if (gif.length > 400_000) continue; // takes long
    const plan = planOf(gif);
    const drawn = await drawInBrowser(opened.page, gif);
    const found = await opened.convert(gif);
    assertEquals(drawn.pictures.length, plan.frames, name);
    let startMs = 0;
    for (const [frame, picture] of drawn.pictures.entries()) {
      const shownMs = drawn.durationsMs[frame]! < 20
        ? 100
        : drawn.durationsMs[frame]!;
      const middleMs = startMs + shownMs / 2;
      startMs += shownMs;
      const { fpsNumerator, fpsDenominator } = plan;
      const at = Math.floor(middleMs * fpsNumerator / fpsDenominator / 1000);
      assertLooksLike(found[at]!, picture, `${frame} of ${name}`);
    }
    assert(Math.abs(startMs - plan.durationMs) < 1, name);
    compared++;
  }
  assert(compared > 10);
});
