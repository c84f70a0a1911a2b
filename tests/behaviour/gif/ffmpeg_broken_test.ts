// GIFs where ffmpeg does not work: scripts stand in for it.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { MediaCache, type MediaCacheOptions } from "../../../mod.ts";
import { recordConsole } from "../../fixtures/cache/console.ts";
import { FakeTime } from "../../fixtures/time/fake_time.ts";
import { namesIn } from "../../fixtures/directory/files.ts";
import { gifOfDelays } from "../../fixtures/gif/gif_writer.ts";
import { Recorder } from "../../fixtures/cache/recorder.ts";
import { heard, isRunning, stub } from "../../fixtures/gif/stub.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const GIF = gifOfDelays([10, 20, 30]);

/** Ends with an error, like an ffmpeg without the encoder. */
const NO_ENCODER = `echo "Unknown encoder 'libx264'" >&2; exit 1`;

/** Runs the real ffmpeg. */
const WORKS = `PATH='${Deno.env.get("PATH")}'; exec ffmpeg "$@"`;

/**
 * A script that does one action with the cache's own GIF, and another with all
 * others.
 */
function byInput(own: string, others: string): string {
  return `prior=; for each; do [ "$prior" = -i ] && in=\${each#file:}; prior=$each; done
    if [ "$(wc -c <"$in")" -lt 50 ]; then ${own}; else ${others}; fi`;
}

/** A cache with a script as ffmpeg; the test can replace the script. */
async function withFfmpeg(
  script: string,
  options: MediaCacheOptions & { maxConcurrent?: number } = {},
) {
  const { maxConcurrent = 1, ...others } = options;
  const temp = await tempDir();
  const recorder = new Recorder();
  const becomes = (script: string) =>
    stub(temp.path, `echo >>"$here/runs"; ${script}`);
  const ffmpeg = await becomes(script);
  const cacheDir = join(temp.path, "cache");
  const cache = await MediaCache.open({
    cacheDir,
    onEvent: recorder.onEvent,
    gifToMp4: { ffmpeg, maxConcurrent },
    ...others,
  });
  let count = 0;
  return {
    cache,
    recorder,
    folder: temp.path,
    becomes,
    /** Downloads a GIF under a new URL; returns the type of the result. */
    async download(gif: Uint8Array<ArrayBuffer> = GIF): Promise<string> {
      const media = await cache.getOrDownload(`a:${++count}`, () => {
        return Promise.resolve({ data: gif });
      });
      const bytes = await media.bytes();
      if (media.mimetype === "image/gif") assertEquals(bytes, gif);
      assertEquals(await media.stored, true);
      return media.mimetype;
    },
    /** How often ffmpeg was started. */
    async runs(): Promise<number> {
      const lines = await Deno.readTextFile(join(temp.path, "runs"));
      return lines.length;
    },
    warnings: () => recorder.of("conversionUnavailable").map((e) => e.reason),
    reasons: () => recorder.of("kept").map((event) => event.reason),
    async [Symbol.asyncDispose]() {
      await cache.close();
      assertEquals(cache.stats().stagedBytes, 0);
      const names = await namesIn(cacheDir);
      assertEquals(names.filter((name) => name.endsWith(".part")), []);
      await temp[Symbol.asyncDispose]();
    },
  };
}

const broken: [string, string, string][] = [
  [
    "lacks the encoder",
    NO_ENCODER,
    "exit code 1: Unknown encoder 'libx264'",
  ],
  ["is of another processor", "kill -ILL $$", "SIGILL"],
  ["is killed", "kill -KILL $$", "SIGKILL"],
  [
    "lacks a library",
    `echo "$0: error while loading /usr/lib/x.so from https://host/bot1:TOKEN" >&2; exit 127`,
    "exit code 127: … error while loading … from …",
  ],
  ["does nothing", ":", "none of 6 frames"],
  [
    "writes a file that is not a video",
    'for out; do :; done; echo junk >"${out#file:}"; echo frame=6; echo frame=1',
    "no whole video",
  ],
];
for (const [what, script, words] of broken) {
  Deno.test(`an ffmpeg that ${what} is started for one GIF and for the cache's own GIF, then not for a while`, async () => {
    await using ffmpeg = await withFfmpeg(script);
    const { cache } = ffmpeg;

    const types = [];
    for (let gif = 0; gif < 3; gif++) types.push(await ffmpeg.download());

    assertEquals(types, Array(3).fill("image/gif"));
    assertEquals(await ffmpeg.runs(), 2);
    const [warning, ...more] = ffmpeg.warnings();
    assertEquals(more, []);
    assertMatch(warning!, /^ffmpeg fails: .*; tried again in 1 min$/);
    assertEquals(ffmpeg.reasons().length, 1);
    if (
      what !== "does nothing" && what !== "writes a file that is not a video"
    ) {
      assert(warning!.startsWith(`ffmpeg fails: ${words};`), warning);
      assertEquals(ffmpeg.reasons(), [`conversion failed: ${words}`]);
    }
    const { conversions, conversionFailures } = cache.stats();
    assertEquals([conversions, conversionFailures], [0, 1]);
  });
}

Deno.test("an ffmpeg of another format is started for one GIF and for the cache's own GIF", async () => {
  await using ffmpeg = await withFfmpeg("");
  const program = new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 9, 9, 9, 0, 0, 10]);
  await Deno.writeFile(join(ffmpeg.folder, "stub"), program);

  assertEquals(await ffmpeg.download(), "image/gif");
  assertEquals(await ffmpeg.download(), "image/gif");

  assertEquals(ffmpeg.warnings().length, 1);
  assertEquals(ffmpeg.reasons().length, 1);
  for (const reason of ffmpeg.reasons()) assert(!/[^\P{C}]/u.test(reason));
});

Deno.test("without a listener the console gets one line that ffmpeg fails, with the reason", async () => {
  using recorded = recordConsole();
  await using temp = await tempDir();
  const ffmpeg = await stub(temp.path, NO_ENCODER);
  await using cache = await MediaCache.open({
    cacheDir: join(temp.path, "cache"),
    gifToMp4: { ffmpeg },
  });

  for (const url of ["a:", "b:", "c:"]) {
    await using media = await cache.getOrDownload(url, () => {
      return Promise.resolve({ data: GIF });
    });
    assertEquals(media.mimetype, "image/gif");
  }

  assertEquals(recorded.lines.length, 1);
  const [[line]] = recorded.lines as [[string]];
  assertMatch(
    line,
    /^Media cache: GIFs stay GIFs: ffmpeg fails: exit code 1: Unknown encoder 'libx264'; tried again in 1 min$/,
  );
});

Deno.test("a failing ffmpeg is not started for a minute, then for twice as long each time, up to an hour", async () => {
  using time = new FakeTime();
  await using ffmpeg = await withFfmpeg(NO_ENCODER);
  await ffmpeg.download();

  let runs = 2;
  for (const minutes of [1, 2, 4, 8, 16, 32, 60, 60]) {
    time.tick(minutes * 60_000 - 1);
    assertEquals(await ffmpeg.download(), "image/gif");
    assertEquals(await ffmpeg.runs(), runs, `${minutes} minutes`);
    time.tick(1);
    assertEquals(await ffmpeg.download(), "image/gif");
    assertEquals(await ffmpeg.runs(), runs += 2, `${minutes} minutes`);
  }
  assertEquals(ffmpeg.warnings().length, 1);
});

Deno.test("a successful conversion makes the next pause short, and the next failure is reported", async () => {
  using time = new FakeTime();
  await using ffmpeg = await withFfmpeg(NO_ENCODER);
  await ffmpeg.download();
  time.tick(60_000);
  await ffmpeg.download();
  assertEquals(ffmpeg.warnings().length, 1);

  await ffmpeg.becomes(WORKS);
  assertEquals(await ffmpeg.download(), "image/gif");
  time.tick(120_000);
  assertEquals(await ffmpeg.download(), "video/mp4");
  await ffmpeg.becomes("kill -ILL $$");
  assertEquals(await ffmpeg.download(), "image/gif");
  await ffmpeg.becomes(WORKS);
  time.tick(60_000);

  assertEquals(await ffmpeg.download(), "video/mp4");
  assertEquals(ffmpeg.warnings().length, 2);
  assertMatch(ffmpeg.warnings()[1]!, /SIGILL; tried again in 1 min$/);
});

Deno.test("a missing ffmpeg is looked for again", async () => {
  using time = new FakeTime();
  await using ffmpeg = await withFfmpeg(WORKS);
  await Deno.remove(join(ffmpeg.folder, "stub"));
  assertEquals(await ffmpeg.download(), "image/gif");
  await ffmpeg.becomes(WORKS);
  assertEquals(await ffmpeg.download(), "image/gif");

  time.tick(60_000);

  assertEquals(await ffmpeg.download(), "video/mp4");
  assertMatch(ffmpeg.warnings().join(), /^cannot find [^,]*stub$/);
});

Deno.test("an ffmpeg missing for 16 concurrent GIFs is looked for again after a minute", async () => {
  using time = new FakeTime();
  await using ffmpeg = await withFfmpeg(WORKS, { maxConcurrent: 16 });
  await Deno.remove(join(ffmpeg.folder, "stub"));
  await Promise.all(Array.from({ length: 16 }, () => ffmpeg.download()));
  await ffmpeg.becomes(WORKS);

  time.tick(60_000);

  assertEquals(await ffmpeg.download(), "video/mp4");
  assertEquals(ffmpeg.warnings().length, 1);
});

Deno.test("a disk fault during a conversion does not count against ffmpeg: the next GIF is tried", async () => {
  const full =
    `echo "av_interleaved_write_frame(): No space left on device" >&2`;
  await using ffmpeg = await withFfmpeg(`${full}; exit 1`);
  assertEquals(await ffmpeg.download(), "image/gif");
  assertEquals(await ffmpeg.runs(), 1);
  await ffmpeg.becomes(byInput(`${full}; exit 1`, "exit 1"));
  assertEquals(await ffmpeg.download(), "image/gif");
  assertEquals(await ffmpeg.runs(), 3);
  await ffmpeg.becomes(WORKS);

  assertEquals(await ffmpeg.download(), "video/mp4");

  assertEquals(ffmpeg.warnings(), []);
  assertEquals(ffmpeg.reasons(), [
    "conversion disk-failed: av_interleaved_write_frame(): No space left on device",
    "conversion failed: exit code 1",
  ]);
});

Deno.test("GIFs that make ffmpeg fail do not keep others from being converted", async () => {
  await using ffmpeg = await withFfmpeg(WORKS);
  const bad = gifOfDelays([10]);
  const isBad = `[ "$(wc -c <"$in")" = ${bad.length} ]`;
  const others = `if ${isBad}; then kill -SEGV $$; else ${WORKS}; fi`;
  await ffmpeg.becomes(byInput(WORKS, others));
  for (let gif = 0; gif < 3; gif++) {
    assertEquals(await ffmpeg.download(bad), "image/gif");
  }

  assertEquals(await ffmpeg.download(bad), "image/gif");
  assertEquals(await ffmpeg.download(), "video/mp4");

  assertEquals(ffmpeg.warnings(), []);
  assertEquals(ffmpeg.reasons(), Array(4).fill("conversion failed: SIGSEGV"));
  assertEquals(ffmpeg.cache.stats().conversionFailures, 4);
});

for (const maxConcurrent of [1, 16]) {
  Deno.test(`of 16 GIFs that fail together, ${maxConcurrent} at a time, one alone has ffmpeg tested`, async () => {
    const all = `while [ "$(wc -l <"$here/runs")" -lt ${maxConcurrent} ]; do
      sleep 0.01; done; exit 1`;
    const script = byInput(`echo >>"$here/tests"; ${WORKS}`, all);
    await using ffmpeg = await withFfmpeg(script, { maxConcurrent });

    const types = await Promise.all(
      Array.from({ length: 16 }, () => ffmpeg.download()),
    );

    assertEquals(types, Array(16).fill("image/gif"));
    assertEquals(await ffmpeg.runs(), 17);
    const tests = await Deno.readTextFile(join(ffmpeg.folder, "tests"));
    assertEquals(tests.length, 1);
    assertEquals(ffmpeg.warnings(), []);
  });
}

Deno.test("a broken ffmpeg is started for the first of 16 concurrent GIFs only", async () => {
  await using ffmpeg = await withFfmpeg(NO_ENCODER);

  await Promise.all(Array.from({ length: 16 }, () => ffmpeg.download()));

  assertEquals(await ffmpeg.runs(), 2);
  assertEquals(ffmpeg.warnings().length, 1);
  assertEquals(ffmpeg.cache.stats().conversionFailures, 1);
});

Deno.test("a test of ffmpeg ends with the download that started it, and reports nothing", async () => {
  const hang = 'echo $$ >"$here/said"; exec sleep 1000';
  await using ffmpeg = await withFfmpeg(byInput(hang, "exit 1"));
  const { cache, folder } = ffmpeg;
  const call = cache.getOrDownload("b:", () => Promise.resolve({ data: GIF }));
  const settled = Promise.allSettled([call]);
  const processId = await heard(folder);

  await cache.close({ abort: true });

  await settled;
  assertEquals(await isRunning(processId), false);
  assertEquals(ffmpeg.warnings(), []);
});
