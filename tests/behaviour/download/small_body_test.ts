/** Bodies that come whole in one chunk of a known length. */
import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { MediaCache } from "../../../mod.ts";
import { pattern, readRest, readSome } from "../../fixtures/bodies/bytes.ts";
import { begin } from "../../fixtures/cache/begun.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const BODY = pattern(1000);
const PNG = { mimetype: "image/png", filename: "a.png", size: BODY.length };

for (
  const [ending, end] of [
    ["more bytes", "IncompleteBodyError"],
    ["an error", "TypeError"],
    ["the end", undefined],
  ] as const
) {
  Deno.test(`a chunk of the declared length reaches its reader before ${ending} comes behind it`, async () => {
    await using dir = await tempDir();
    await using cache = await MediaCache.open({ cacheDir: dir.path });
    const { tap, call } = await begin(cache, "a", PNG);
    tap.write(BODY);
    const media = await call;
    const reader = media.body.getReader();
    assertEquals(await readSome(reader, BODY.length), BODY);

    if (ending === "more bytes") tap.write(pattern(1));
    else if (ending === "an error") tap.fail(new TypeError("broken"));
    else tap.end();

    if (end === undefined) {
      assertEquals((await readRest(reader)).length, 0);
    } else {
      const error = await assertRejects(() => readRest(reader), Error);
      assertEquals(error.name, end);
    }
    assertEquals(await media.stored, end === undefined);
    assertEquals(await cache.has("a"), end === undefined);
  });
}

Deno.test("a small body is stored when its reader sees the end", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });
  const download = () => Promise.resolve({ data: BODY, ...PNG });
  for (const read of ["bytes", "body", "slice"] as const) {
    const media = await cache.getOrDownload(read, download);
    if (read === "bytes") await media.bytes();
    else for await (const _ of read === "body" ? media.body : media.slice(5));

    assertEquals(await cache.has(read), true);
    assertEquals(media.source, "download");
  }
});

Deno.test("a small body is stored as it came, whatever its source and its readers do to their bytes", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });
  const chunk = BODY.slice();
  const { tap, call } = await begin(cache, "a", PNG);
  tap.write(chunk);
  tap.end();
  const media = await call;
  chunk.fill(0);
  for await (const bytes of media.body) bytes.fill(0);
  await media.stored;

  for (let i = 0; i < 2; i++) {
    const hit = await cache.get("a");
    assertEquals(await hit?.bytes(), BODY);
  }
});

Deno.test("a small body reaches each reader, although another has transferred the chunk", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });
  const { tap, call } = await begin(cache, "a", PNG);
  const joined = cache.getOrDownload("a", () => Promise.reject());
  tap.write(BODY);
  tap.end();
  const [first, second] = [await call, await joined];
  const slice = second.slice(1, 3).getReader();
  const [one, other] = [first.body.getReader(), second.body.getReader()];
  const { value = new Uint8Array() } = await one.read();
  assertEquals(value, BODY);
  structuredClone(value, { transfer: [value.buffer] });

  assertEquals(await readRest(other), BODY);
  assertEquals(await readRest(slice), BODY.slice(1, 3));
  assertEquals(await first.stored, true);
  await one.cancel();
});

Deno.test("bytes() of a small body rejects when its caller aborts meanwhile", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });
  const controller = new AbortController();
  const { signal } = controller;
  const download = () => Promise.resolve({ data: BODY, ...PNG });
  const media = await cache.getOrDownload("a", download, { signal });
  const reading = media.bytes();
  const reason = new Error("enough");
  controller.abort(reason);

  assertStrictEquals(await assertRejects(() => reading), reason);
  assertEquals(await media.stored, true);
});
