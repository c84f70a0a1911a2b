import { assert, assertEquals, assertRejects } from "@std/assert";
import { DownloadTimeoutError, type Media, MediaCache } from "../../../mod.ts";
import { begin } from "../../fixtures/cache/begun.ts";
import { turn } from "../../fixtures/cache/recorder.ts";
import { HeldListing } from "../../fixtures/directory/held_listing.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";
import { pattern, readRest, readSome } from "../../fixtures/bodies/bytes.ts";
import { temporaryFolder } from "../../fixtures/gif/stub.ts";
import { gifOfDelays } from "../../fixtures/gif/gif_writer.ts";
import { CONVERT, waitingFfmpeg } from "../../fixtures/gif/waiting_ffmpeg.ts";
import { Origin } from "../../fixtures/servers/origin.ts";
import { pair } from "../../fixtures/sharing/pair.ts";
import { share } from "../../fixtures/sharing/sharing_processes.ts";
import { idle } from "../../fixtures/time/idle.ts";

const GIF = gifOfDelays([10, 20, 30]);
const IDLE = { idleTimeoutMs: 200 };

function never(): Promise<never> {
  throw new Error("not called");
}

Deno.test("followers wait for the video while another process converts, and while its conversion waits for its turn", async () => {
  await using folder = await temporaryFolder();
  const { ffmpeg, begun } = await waitingFfmpeg(folder, CONVERT);
  const gifToMp4 = { ffmpeg, maxConcurrent: 1 };
  await using caches = await pair({ ...IDLE, gifToMp4 });
  const { one, two } = caches;
  const download = () => Promise.resolve({ data: GIF });
  const first = one.getOrDownload("first", download);
  const goFirst = await begun();
  const waiting = one.getOrDownload("waiting", download);
  const followed = ["first", "waiting"].map((url) =>
    two.getOrDownload(url, never)
  );
  const isConverting = () =>
    two.inFlight().filter(({ phase }) => phase === "converting").length === 2;
  while (!isConverting()) await turn();

  await idle(two, 3);
  assert(isConverting());
  await goFirst();
  const goWaiting = await begun();
  await idle(two, 3);
  await goWaiting();

  for (const call of [first, waiting, ...followed]) {
    const media = await call;
    assertEquals(media.mimetype, "video/mp4");
    assertEquals((await media.bytes()).length, media.size);
  }
  assertEquals(one.stats().conversions, 2);
  assertEquals(two.stats().conversions, 0);
});

Deno.test("timeoutMs does not run for followers while another process converts", async () => {
  await using folder = await temporaryFolder();
  const { ffmpeg, begun } = await waitingFfmpeg(folder, CONVERT);
  const timeoutMs = 1000;
  await using caches = await pair({ timeoutMs, gifToMp4: { ffmpeg } });
  const { one, two } = caches;
  const first = one.getOrDownload("a", () => Promise.resolve({ data: GIF }));
  const go = await begun();
  const followed = two.getOrDownload("a", never);
  followed.catch(() => {});
  while (two.inFlight()[0]?.phase !== "converting") await turn();

  // For as long as another download of the same cache may take, twice.
  for (let times = 0; times < 2; times++) await inTotal(two);
  await go();

  for (const call of [first, followed]) {
    const media = await call;
    assertEquals(media.mimetype, "video/mp4");
    assertEquals(await media.stored, true);
  }
});

/** Lets `timeoutMs` of a cache pass. */
async function inTotal(cache: MediaCache): Promise<void> {
  const { tap, call } = await begin(cache, "endless:");
  await assertRejects(() => call, DownloadTimeoutError);
  await tap.cancelled;
}

Deno.test("followers get the GIF whose conversion fails in another process", async () => {
  await using folder = await temporaryFolder();
  const { ffmpeg, begun } = await waitingFfmpeg(folder, "exit 1");
  await using caches = await pair({ ...IDLE, gifToMp4: { ffmpeg } });
  const { one, two } = caches;
  const mine = one.getOrDownload("a", () => Promise.resolve({ data: GIF }));
  const fail = await begun();
  const theirs = two.getOrDownload("a", never);
  while (two.inFlight()[0]?.phase !== "converting") await turn();
  // The GIF fails, and then the cache's own.
  await fail();
  await (await begun())();

  for (const media of await Promise.all([mine, theirs])) {
    assertEquals(media.mimetype, "image/gif");
    assertEquals(await media.bytes(), GIF);
    assertEquals(await media.stored, true);
  }
});

Deno.test("a process that is stopped while it converts delays the others by idleTimeoutMs", async () => {
  await using folder = await temporaryFolder();
  const { ffmpeg, begun } = await waitingFfmpeg(folder, CONVERT);
  await using origin = new Origin();
  const url = origin.bytes("/a.gif", GIF);
  await using processes = await share(2, { ...IDLE, gifToMp4: { ffmpeg } });
  const [stopped, other] = processes.all;
  assert(stopped !== undefined && other !== undefined);
  stopped.ask("take", "mine", url).catch(() => {});
  const end = await begun();
  const taking = other.ask("take", "theirs", url);
  while ((await other.ask("phases"))[0] !== "converting") await turn();

  stopped.kill("SIGSTOP");

  await (await begun())();
  await taking;
  await end();
  assertEquals(origin.requests("/a.gif"), 2);
  assertEquals(typeof await other.ask("readRest", "theirs"), "number");
});

for (const [size, isDeleted] of [[1000], [300_000], [1000, true]] as const) {
  const ending = isDeleted ? ", and deletes them" : "";
  Deno.test(`followers wait while another process scans the directory before it stores ${size} bytes${ending}`, async () => {
    await using dir = await tempDir();
    const cacheDir = dir.path;
    await using two = await MediaCache.open({ ...IDLE, cacheDir });
    const held = new HeldListing();
    await using one = new MediaCache({ ...IDLE, cacheDir });
    const body = pattern(size);
    let mine: Media;
    let theirs: Media;
    let reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;
    let start: Uint8Array<ArrayBuffer>;
    {
      // Disposed before the cache, whose close() waits for the listing.
      using _held = held;
      const { tap, call } = await begin(one, "a", { size });
      theirs = await afterJoining(two, "a", () => {
        tap.write(body);
        tap.end();
      });
      mine = await call;
      assertEquals(await mine.bytes(), body);

      reader = theirs.body.getReader();
      start = await readSome(reader, 500);
      await idle(two, 3);
      if (isDeleted) await one.delete("a");
    }

    const rest = await readRest(reader);
    assertEquals(await new Blob([start, rest]).bytes(), body);
    const isStored = !isDeleted;
    assertEquals([await mine.stored, await theirs.stored], [
      isStored,
      isStored,
    ]);
  });
}

/** Follows the download of a URL in another process, which goes on then. */
async function afterJoining(
  cache: MediaCache,
  url: string,
  goOn: () => void,
): Promise<Media> {
  const joined = Promise.withResolvers<void>();
  const stop = cache.subscribe(({ type }) => {
    if (type === "joined") joined.resolve();
  });
  const call = cache.getOrDownload(url, never);
  await joined.promise;
  stop();
  goOn();
  return await call;
}
