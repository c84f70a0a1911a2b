/** GIFs and the videos that were made of them, between hosts. */
import { assertEquals, assertRejects } from "@std/assert";
import { UnacceptableTypeError } from "../../../mod.ts";
import { assertBytes, pattern } from "../../fixtures/bodies/bytes.ts";
import { gifOfDelays } from "../../fixtures/gif/gif_writer.ts";
import { origin } from "../../fixtures/remote/counted_origin.ts";
import { openTwo } from "../../fixtures/remote/hosts.ts";
import {
  inChunks,
  type StandInBucket,
} from "../../fixtures/remote/stand_in_tier.ts";

const URL_GIF = "https://example.org/dance.gif";
const GIF = gifOfDelays([10, 20, 30]);
const GIF_FACTS = { mimetype: "image/gif", filename: "dance.gif" };

/** Makes the object of the bucket one of 1 MiB of other bytes, with its right digest. */
async function enlarge(bucket: StandInBucket) {
  const bytes = pattern(1_048_576);
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  const sha256 = new Uint8Array(digest).toHex();
  for (const object of bucket.objects.values()) {
    object.bytes = bytes;
    object.entry = { ...object.entry, size: bytes.length, sha256 };
  }
  return bytes;
}

Deno.test("a GIF is converted by one host, and its video shared", async () => {
  await using opened = await openTwo();
  const { one, two } = opened;
  const source = origin(GIF, GIF_FACTS);

  const first = await one.cache.getOrDownload(URL_GIF, source.download);
  const video = await first.bytes();
  await one.tier.ended("put");
  const second = await two.cache.getOrDownload(URL_GIF, source.download);

  assertEquals(second.mimetype, "video/mp4");
  assertEquals(second.filename, "dance.mp4");
  assertBytes(await second.bytes(), video);
  assertEquals(await second.stored, true);
  assertEquals(source.calls, 1);
  assertEquals(two.cache.stats().conversions, 0);
  // The type that the origin had sent is known on both hosts.
  for (const { cache } of [one, two]) {
    await assertRejects(
      () =>
        cache.getOrDownload(URL_GIF, source.download, { accept: ["video/*"] }),
      UnacceptableTypeError,
    );
  }
});

Deno.test("a video that was made of a GIF is refused to callers that don't accept GIFs", async () => {
  await using opened = await openTwo();
  const { one, two } = opened;
  const source = origin(GIF, GIF_FACTS);
  await (await one.cache.getOrDownload(URL_GIF, source.download)).bytes();
  await one.tier.ended("put");

  await assertRejects(
    () =>
      two.cache.getOrDownload(URL_GIF, source.download, {
        accept: ["video/*"],
      }),
    UnacceptableTypeError,
  );
  const media = await two.cache.getOrDownload(URL_GIF, source.download, {
    accept: ["image/*"],
  });

  assertEquals(media.mimetype, "video/mp4");
  await media.bytes();
});

Deno.test("a host that keeps GIFs takes no video, and leaves the object as it is", async () => {
  await using opened = await openTwo({
    others: [{}, { gifToMp4: false }],
  });
  const { one, two } = opened;
  const source = origin(GIF, GIF_FACTS);
  await (await one.cache.getOrDownload(URL_GIF, source.download)).bytes();
  await one.tier.ended("put");

  const media = await two.cache.getOrDownload(URL_GIF, source.download);

  assertEquals(media.mimetype, "image/gif");
  assertBytes(await media.bytes(), GIF);
  assertEquals(await media.stored, true);
  await two.cache.close();
  assertEquals(two.tier.count("put"), 0);
  const [object] = [...opened.bucket.objects.values()];
  assertEquals(object?.entry.mimetype, "video/mp4");
});

Deno.test("a GIF of a host that keeps GIFs is converted by one that does not, and replaced", async () => {
  await using opened = await openTwo({
    others: [{ gifToMp4: false }, {}],
  });
  const { one, two } = opened;
  const source = origin(GIF, GIF_FACTS);
  await (await one.cache.getOrDownload(URL_GIF, source.download)).bytes();
  await one.tier.ended("put");

  const media = await two.cache.getOrDownload(URL_GIF, source.download);

  assertEquals(media.mimetype, "video/mp4");
  await media.bytes();
  await two.tier.ended("put");
  assertEquals(source.calls, 1);
  const [object] = [...opened.bucket.objects.values()];
  assertEquals(object?.entry.mimetype, "video/mp4");
  assertEquals(object?.entry.sourceMimetype, "image/gif");
});

Deno.test("a GIF that one host could not convert is served as it is by others", async () => {
  await using opened = await openTwo({
    options: { gifToMp4: { maxFrames: 1 } },
  });
  const { one, two } = opened;
  const source = origin(GIF, GIF_FACTS);
  await (await one.cache.getOrDownload(URL_GIF, source.download)).bytes();
  await one.tier.ended("put");

  const media = await two.cache.getOrDownload(URL_GIF, source.download);

  assertEquals(media.mimetype, "image/gif");
  assertBytes(await media.bytes(), GIF);
  assertEquals(two.recorder.of("kept").length, 0);
  assertEquals(source.calls, 1);
});

for (
  const [title, break_] of [
    ["is cut", (bytes: Uint8Array<ArrayBuffer>) => bytes.slice(0, 700_000)],
    ["has other bytes", (bytes: Uint8Array<ArrayBuffer>) => bytes.fill(1, 99)],
  ] as const
) {
  Deno.test(`a large video of a GIF that ${title} is not handed out: the GIF is downloaded`, async () => {
    await using opened = await openTwo();
    const { one, two } = opened;
    const source = origin(GIF, GIF_FACTS);
    await (await one.cache.getOrDownload(URL_GIF, source.download)).bytes();
    await one.tier.ended("put");
    await enlarge(opened.bucket);
    two.tier.stream = (bytes) => inChunks(break_(bytes.slice()));

    const media = await two.cache.getOrDownload(URL_GIF, source.download);

    assertEquals(media.mimetype, "video/mp4");
    assertEquals((await media.bytes()).length < 100_000, true);
    assertEquals(await media.stored, true);
    assertEquals(source.calls, 2);
    assertEquals(two.cache.stats().conversions, 1);
  });
}

Deno.test("a large video of a GIF is handed out when it is whole", async () => {
  await using opened = await openTwo();
  const { one, two } = opened;
  const source = origin(GIF, GIF_FACTS);
  await (await one.cache.getOrDownload(URL_GIF, source.download)).bytes();
  await one.tier.ended("put");
  const bytes = await enlarge(opened.bucket);

  const media = await two.cache.getOrDownload(URL_GIF, source.download);

  assertEquals(media.mimetype, "video/mp4");
  assertBytes(await media.bytes(), bytes);
  assertEquals(await media.stored, true);
});

Deno.test("a GIF that a host without ffmpeg has stored is converted by others", async () => {
  await using opened = await openTwo({
    others: [{ gifToMp4: { ffmpeg: "/nonexistent/ffmpeg" } }],
  });
  const { one, two } = opened;
  const source = origin(GIF, GIF_FACTS);
  await (await one.cache.getOrDownload(URL_GIF, source.download)).bytes();
  await one.tier.ended("put");
  const [object] = opened.bucket.objects.values();
  assertEquals(object?.entry.mimetype, "image/gif");
  assertEquals(object?.entry.conversion, undefined);
  // Older versions have stored that reason.
  Object.assign(object?.entry ?? {}, { conversion: "conversion unavailable" });

  const media = await two.cache.getOrDownload(URL_GIF, source.download);

  assertEquals(media.mimetype, "video/mp4");
  assertEquals(source.calls, 1);
});
