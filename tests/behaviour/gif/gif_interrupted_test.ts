import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { MediaCache } from "../../../mod.ts";
import { planOf } from "../../fixtures/gif/conversion.ts";
import { gifOfDelays } from "../../fixtures/gif/gif_writer.ts";
import { Recorder, turn } from "../../fixtures/cache/recorder.ts";
import { heard, isRunning, stub } from "../../fixtures/gif/stub.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";
import { namesIn } from "../../fixtures/directory/files.ts";

const GIF = gifOfDelays([10, 20, 30]);
const download = () => Promise.resolve({ data: GIF });

/**
 * A cache whose ffmpeg prints its process id and never ends, with a download
 * being converted.
 */
async function converting() {
  const temp = await tempDir();
  const ffmpeg = await stub(
    temp.path,
    'echo $$ >"$here/said"; exec sleep 1000',
  );
  const cacheDir = join(temp.path, "cache");
  const recorder = new Recorder();
  const cache = await MediaCache.open({
    cacheDir,
    gifToMp4: { ffmpeg, maxConcurrent: 1 },
    whenAbandoned: "abort",
    onEvent: recorder.onEvent,
  });
  const controllers = [new AbortController(), new AbortController()];
  const calls = controllers.map(({ signal }) =>
    cache.getOrDownload("a:", download, { signal })
  );
  const settled = Promise.allSettled(calls);
  const processId = await heard(temp.path);
  assert(await isRunning(processId));
  assertEquals(cache.inFlight()[0]?.phase, "converting");
  return {
    cache,
    folder: temp.path,
    controllers,
    recorder,
    calls,
    settled,
    async [Symbol.asyncDispose]() {
      assertEquals(await isRunning(processId), false);
      assertEquals(cache.stats().stagedBytes, 0);
      assertEquals(await namesIn(cacheDir), []);
      await cache.close();
      await temp[Symbol.asyncDispose]();
    },
  };
}

Deno.test("a conversion ends when every caller has stopped waiting", async () => {
  await using running = await converting();
  const { cache, controllers, recorder, calls } = running;

  controllers[0]!.abort(new Error("enough"));
  await assertRejects(() => calls[0]!, Error, "enough");
  assertEquals(cache.inFlight().length, 1);
  controllers[1]!.abort(new Error("enough"));
  await assertRejects(() => calls[1]!, Error, "enough");

  await recorder.seen("failed");
  await cache.close();
});

Deno.test("a conversion that waits for its turn ends in the same way", async () => {
  await using running = await converting();
  const { cache, settled } = running;
  const waiting = cache.getOrDownload("b:", download);
  const rejected = assertRejects(() => waiting, Error, "it was closed");

  await cache.close({ abort: true });

  await rejected;
  await settled;
});

Deno.test("with maxConcurrent 1 concurrent GIFs are converted one after the other", async () => {
  await using temp = await tempDir();
  const path = Deno.env.get("PATH");
  const ffmpeg = await stub(
    temp.path,
    `mkdir "$here/turn" || echo >>"$here/overlaps"
     PATH='${path}' ffmpeg "$@"; code=$?; rmdir "$here/turn"; exit $code`,
  );
  await using cache = await MediaCache.open({
    cacheDir: join(temp.path, "cache"),
    gifToMp4: { ffmpeg, maxConcurrent: 1 },
  });

  for (
    const media of await Promise.all(
      ["a:", "b:", "c:", "d:"].map((url) => cache.getOrDownload(url, download)),
    )
  ) {
    assertEquals(media.mimetype, "video/mp4");
    await media.bytes();
  }

  assertEquals(cache.stats().conversions, 4);
  assertEquals((await namesIn(temp.path)).includes("overlaps"), false);
});

Deno.test("a GIF aborted while it waits for its turn leaves the turn to the next", async () => {
  await using running = await converting();
  const { cache, folder, controllers, settled } = running;
  const second = new AbortController();
  const { signal } = second;
  const waiting = cache.getOrDownload("b:", download, { signal });
  const isWaiting = () =>
    cache.inFlight().some(({ url, phase }) =>
      url === "b:" && phase === "converting"
    );
  while (!isWaiting()) await turn();

  second.abort(new Error("enough"));
  await assertRejects(() => waiting, Error, "enough");
  await Deno.writeTextFile(join(folder, "stub"), "#!/bin/sh\nexit 1\n");
  for (const controller of controllers) controller.abort();
  await settled;

  const third = await cache.getOrDownload("c:", download);
  assertEquals(await third.bytes(), GIF);
  await cache.delete("c:");
});

for (const options of [{ abort: true }, { timeoutMs: 1 }]) {
  Deno.test(`close(${JSON.stringify(options)}) ends a conversion`, async () => {
    await using running = await converting();
    const { cache, settled } = running;

    await cache.close(options);

    for (const result of await settled) assertEquals(result.status, "rejected");
  });
}

for (const how of ["delete", "clear"] as const) {
  Deno.test(`${how}() during a conversion lets it finish for the waiting callers`, async () => {
    await using running = await converting();
    const { cache, controllers, recorder, settled } = running;

    await cache[how]("a:");
    assertEquals(cache.inFlight().length, 1);
    for (const controller of controllers) controller.abort();

    await settled;
    await recorder.seen("failed");
    await cache.close();
  });
}

Deno.test("a video whose entry was deleted meanwhile reaches its caller and is not stored", async () => {
  await using temp = await tempDir();
  const recorder = new Recorder();
  const { onEvent } = recorder;
  await using cache = await MediaCache.open({ cacheDir: temp.path, onEvent });

  const call = cache.getOrDownload("a:", download);
  await recorder.seen("miss");
  await cache.delete("a:");
  const media = await call;

  assertEquals(media.mimetype, "video/mp4");
  assertEquals((await media.bytes()).length, media.size);
  assertEquals(await media.stored, false);
  assertEquals(await namesIn(temp.path), []);
});

const without: [string, string[], RegExp][] = [
  ["--allow-run", [], /^missing --allow-run=ffmpeg, which Deno also drops/],
  [
    "ffmpeg",
    ["--allow-run=/nowhere/ffmpeg"],
    /^cannot find \/nowhere\/ffmpeg$/,
  ],
];
for (const [what, permissions, reason] of without) {
  Deno.test(`without ${what} GIFs stay GIFs, with one warning`, async () => {
    await using temp = await tempDir();
    const program = join(temp.path, "main.ts");
    const cacheDir = join(temp.path, "cache");
    await Deno.mkdir(cacheDir);
    const gifToMp4 = permissions.length > 0
      ? { ffmpeg: "/nowhere/ffmpeg" }
      : true;
    await Deno.writeTextFile(
      program,
      `import { MediaCache } from "${import.meta.resolve("../../../mod.ts")}";
      const data = new Uint8Array(${JSON.stringify([...GIF])});
      const events = [];
      const cache = await MediaCache.open({
        cacheDir: ${JSON.stringify(cacheDir)},
        gifToMp4: ${JSON.stringify(gifToMp4)},
        onEvent: (event) => events.push(event),
      });
      const types = [];
      for (const url of ["a:", "b:", "a:"]) {
        const media = await cache.getOrDownload(url, async () => ({ data }));
        types.push(media.mimetype, (await media.bytes()).length, await media.stored);
      }
      await cache.close();
      const reasons = events
        .filter(({ type }) => type === "conversionUnavailable")
        .map(({ reason }) => reason);
      console.log(JSON.stringify({ types, reasons }));`,
    );
    const config = new URL("../../../deno.json", import.meta.url).pathname;
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--no-prompt",
        "--no-check",
        `--config=${config}`,
        `--allow-read=${cacheDir}`,
        `--allow-write=${cacheDir}`,
        ...permissions,
        program,
      ],
      env: { NO_COLOR: "1" },
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    const { types, reasons } = JSON.parse(text(stdout) || text(stderr));

    const each = ["image/gif", GIF.length, true];
    assertEquals(types, [...each, ...each, ...each]);
    assertEquals(reasons.length, 1);
    assert(reason.test(reasons[0]), reasons[0]);
  });
}

for (
  const [what, script] of [
    ["nothing", ":"],
    ["a file that is not a video", 'printf "junk!" >"$out"'],
    ["too much", 'head -c 30000000 /dev/zero >"$out"'],
    [
      "a video that the disk has no room for",
      'echo "Error writing trailer: No space left on device" >&2',
    ],
  ] as const
) {
  Deno.test(`a GIF stays a GIF when ffmpeg reports success but writes ${what}`, async () => {
    await using temp = await tempDir();
    const frames = planOf(GIF).outputFrames;
    const ffmpeg = await stub(
      temp.path,
      `for out; do :; done; out=\${out#file:}; ${script}; echo frame=${frames}; echo total_size=5`,
    );
    await using cache = await MediaCache.open({
      cacheDir: join(temp.path, "cache"),
      maxSizeMb: 20,
      gifToMp4: { ffmpeg },
    });

    const media = await cache.getOrDownload("a:", download);

    assertEquals(media.mimetype, "image/gif");
    assertEquals(await media.bytes(), GIF);
    assertEquals(await media.stored, true);
    const { conversions, conversionFailures, totalBytes } = cache.stats();
    assertEquals([conversions, conversionFailures], [0, 1]);
    assertEquals(totalBytes, GIF.length);
  });
}

Deno.test("a GIF deleted while it waits for ffmpeg becomes its own video, even if it is downloaded again", async () => {
  await using temp = await tempDir();
  // Reports its start, waits for an answer, and copies the bytes of the GIF.
  const ffmpeg = await stub(
    temp.path,
    `prior=; for each; do [ "$prior" = -i ] && in=\${each#file:}; prior=$each; done
     # The cache's own GIF, by which it finds out whether ffmpeg works.
     [ "$(wc -c <"$in")" -lt 50 ] && PATH='${
      Deno.env.get("PATH")
    }' && exec ffmpeg "$@"
     echo $$ >"$here/said"; read -r _ <"$here/go"; cat "$in" >"$here/got"; exit 1`,
  );
  await new Deno.Command("mkfifo", { args: [join(temp.path, "go")] }).output();
  await using cache = await MediaCache.open({
    cacheDir: join(temp.path, "cache"),
    gifToMp4: { ffmpeg, maxConcurrent: 1 },
  });
  const another = gifOfDelays([30, 20, 10]);
  const first = cache.getOrDownload("a:", download);
  await heard(temp.path);

  await cache.delete("a:");
  const again = cache
    .getOrDownload("a:", () => Promise.resolve({ data: another }));
  while (cache.inFlight().length < 2) await turn();
  await Deno.writeTextFile(join(temp.path, "go"), "\n");

  assertEquals(await (await first).bytes(), GIF);
  assertEquals(await Deno.readFile(join(temp.path, "got")), GIF);
  await heard(temp.path);
  await Deno.writeTextFile(join(temp.path, "go"), "\n");
  assertEquals(await (await again).bytes(), another);
  assertEquals(await Deno.readFile(join(temp.path, "got")), another);
});
