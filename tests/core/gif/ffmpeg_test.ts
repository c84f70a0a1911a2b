import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { Ffmpeg, type FfmpegOptions } from "../../../src/core/gif/ffmpeg.ts";
import { planOf } from "../../fixtures/gif/conversion.ts";
import { gifOfDelays } from "../../fixtures/gif/gif_writer.ts";
import {
  heard,
  isRunning,
  stub,
  temporaryFolder,
} from "../../fixtures/gif/stub.ts";
import { hold } from "../../fixtures/time/hold.ts";

const GIF = gifOfDelays([5, 5, 5]);
const PLAN = planOf(GIF);

function ffmpeg(options: Partial<FfmpegOptions> = {}): Ffmpeg {
  const defaults = { ffmpeg: "ffmpeg", timeoutMs: 60_000 };
  return new Ffmpeg({ ...defaults, ...options });
}

/** Converts `in.gif` in a folder to `out.mp4`. */
function convert(
  runner: Ffmpeg,
  folder: string,
  { plan = PLAN, signal, maxOutputBytes = 1e9 }: {
    plan?: typeof PLAN;
    signal?: AbortSignal;
    maxOutputBytes?: number;
  } = {},
) {
  const options = signal ? { maxOutputBytes, signal } : { maxOutputBytes };
  const [gif, video] = [join(folder, "in.gif"), join(folder, "out.mp4")];
  return runner.convert(plan, gif, video, options);
}

/** Converts with a program that the test has written. */
async function convertWith(script: string, options?: Partial<FfmpegOptions>) {
  await using folder = await temporaryFolder();
  const program = await stub(folder.path, script);
  return await convert(ffmpeg({ ...options, ffmpeg: program }), folder.path);
}

Deno.test("Ffmpeg converts from and to paths of any characters, absolute or relative", async () => {
  await using folder = await temporaryFolder();
  const odd = join(folder.path, "a b %03d ' é 日本:");
  await Deno.mkdir(odd);
  const inputPath = join(odd, "-i %d:in.gif");
  await Deno.writeFile(inputPath, GIF);

  for (const form of [(path: string) => path, relativeToHere]) {
    const outputPath = join(odd, "http:%d out.mp4");
    const result = await ffmpeg().convert(
      PLAN,
      form(inputPath),
      form(outputPath),
      { maxOutputBytes: 1e9 },
    );
    assertEquals(result, { ok: true });
    await Deno.remove(outputPath);
  }
});

function relativeToHere(path: string): string {
  return "../".repeat(Deno.cwd().split("/").length - 1) + path.slice(1);
}

Deno.test("Ffmpeg keeps the mode of an existing file", async () => {
  await using folder = await temporaryFolder();
  await Deno.writeFile(join(folder.path, "in.gif"), GIF);
  const video = join(folder.path, "out.mp4");
  await Deno.writeFile(video, new Uint8Array(9), { mode: 0o600 });

  assertEquals(await convert(ffmpeg(), folder.path), { ok: true });
  assertEquals((await Deno.stat(video)).mode! & 0o777, 0o600);
});

Deno.test("Ffmpeg refuses a video above maxOutputBytes, and takes a video of exactly that size", async () => {
  await using folder = await temporaryFolder();
  await Deno.writeFile(join(folder.path, "in.gif"), GIF);
  await convert(ffmpeg(), folder.path);
  const { size } = await Deno.stat(join(folder.path, "out.mp4"));

  const fits = await convert(ffmpeg(), folder.path, { maxOutputBytes: size });
  assertEquals(fits, { ok: true });
  for (const maxOutputBytes of [size - 1, size - 400, 100]) {
    const result = await convert(ffmpeg(), folder.path, { maxOutputBytes });
    assert(!result.ok && result.reason === "too-large", `${maxOutputBytes}`);
  }
});

Deno.test({
  name: "Ffmpeg reports a missing permission, and runs nothing",
  permissions: { run: false },
  fn: async () => {
    const runner = ffmpeg();

    assertEquals(await runner.isPermitted(), false);
    const result = await convert(runner, "/nowhere");
    assertEquals(result, { ok: false, reason: "not-permitted", detail: "" });
  },
});

Deno.test({
  name:
    "Ffmpeg notices that the permission was revoked, before it would prompt",
  permissions: { run: true, read: true, write: true },
  async fn() {
    await using folder = await temporaryFolder();
    const program = await stub(folder.path, "echo frame=3");
    const runner = ffmpeg({ ffmpeg: program });
    assertEquals(await convert(runner, folder.path), { ok: true });

    await Deno.permissions.revoke({ name: "run" });

    assertEquals(await runner.isPermitted(), false);
    const result = await convert(runner, folder.path);
    assertEquals(result, { ok: false, reason: "not-permitted", detail: "" });
  },
});

Deno.test("Ffmpeg reports a missing program, and starts it once it is there", async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "ffmpeg");
  const runner = ffmpeg({ ffmpeg: path });

  assertEquals(await convert(runner, folder.path), {
    ok: false,
    reason: "not-started",
    detail: `cannot find ${path}`,
  });
  await Deno.writeTextFile(path, "#!/bin/sh\necho frame=3", { mode: 0o700 });
  assertEquals(await convert(runner, folder.path), { ok: true });
});

Deno.test("Ffmpeg reports a file that is not a program", async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "ffmpeg");
  await Deno.writeTextFile(path, "", { mode: 0o600 });

  const result = await convert(ffmpeg({ ffmpeg: path }), folder.path);

  assert(!result.ok && result.reason === "not-started");
  assertMatch(result.detail, /^cannot run .*: Permission denied/);
});

Deno.test("Ffmpeg fails when the program exits with an error, and states the code", async () => {
  assertEquals(await convertWith("echo no space >&2; exit 3"), {
    ok: false,
    reason: "failed",
    detail: "exit code 3: no space",
  });
});

Deno.test("Ffmpeg fails when a signal ends the program", async () => {
  const result = await convertWith("kill -SEGV $$");

  assert(!result.ok && result.reason === "failed");
  assertEquals(result.detail, "SIGSEGV");
});

Deno.test("Ffmpeg does not trust an exit code of 0 without a video", async () => {
  for (const script of ["exit 0", "echo frame=2", "echo frame=N/A"]) {
    const result = await convertWith(script);
    assert(!result.ok && result.reason === "incomplete", script);
  }
});

Deno.test("Ffmpeg keeps the last words of an endless error output", async () => {
  const flood = "head -c 30000000 /dev/zero | tr '\\0' 'x'";
  const result = await convertWith(
    `${flood} >&2; ${flood}; echo >&2; echo the end >&2; exit 1`,
  );

  assert(!result.ok && result.reason === "failed");
  assert(result.detail.length < 400);
  assertMatch(result.detail, /the end$/);
});

Deno.test("Ffmpeg states no paths and no addresses in its errors", async () => {
  const result = await convertWith(
    `printf '%s\\n' "$@" "$0: /etc/passwd" "see https://host/bot1:TOKEN/a" >&2; exit 1`,
  );

  assert(!result.ok);
  for (
    const secret of ["/tmp", "/etc", "TOKEN", "host", ".gif", ".mp4", "\n"]
  ) {
    assert(!result.detail.includes(secret), result.detail);
  }
});

Deno.test("Ffmpeg kills a program that takes too long", async () => {
  const hang = "trap '' TERM; while true; do :; done";
  const result = await convertWith(hang, { timeoutMs: 100 });

  assert(!result.ok && result.reason === "timeout");
});

Deno.test("a conversion that ended while the event loop was held is no timeout", async () => {
  await using folder = await temporaryFolder();
  const script = 'echo frame=3; echo $$ > "$here/said"';
  const program = await stub(folder.path, script);
  const runner = ffmpeg({ ffmpeg: program, timeoutMs: 400 });

  const conversion = convert(runner, folder.path);
  // The program is started within these turns, and no event comes before the hold.
  for (let turns = 0; turns < 50; turns++) await Promise.resolve();
  const said = Deno.readTextFileSync(join(folder.path, "said"));
  while (!hasEnded(said.trim())) hold(1);
  hold(800);

  assertEquals(await conversion, { ok: true });
});

/** Whether a process has ended; its parent may not know yet. */
function hasEnded(processId: string): boolean {
  return / Z /.test(Deno.readTextFileSync(`/proc/${processId}/stat`));
}

Deno.test("a program that is being replaced does not count as failed", async () => {
  await using folder = await temporaryFolder();
  const program = await stub(folder.path, "echo frame=3");
  const runner = ffmpeg({ ffmpeg: program });
  {
    using _writer = await Deno.open(program, { write: true });
    const result = await convert(runner, folder.path);
    assert(!result.ok);
    assertEquals(result.reason, "exhausted");
  }

  assertEquals(await convert(runner, folder.path), { ok: true });
});

Deno.test("Ffmpeg gives the program no variable of this process's environment", async () => {
  await using folder = await temporaryFolder();
  const script = `cat /proc/$$/environ > "$here/environ"`;
  const program = await stub(folder.path, script);
  const name = "FFREPORT";
  Deno.env.set(name, `file=${join(folder.path, "report")}`);

  try {
    await convert(ffmpeg({ ffmpeg: program }), folder.path);
  } finally {
    Deno.env.delete(name);
  }

  const environ = await Deno.readTextFile(join(folder.path, "environ"));
  assertEquals(environ, "");
});

Deno.test("Ffmpeg runs nothing when the signal is aborted already", async () => {
  await using folder = await temporaryFolder();
  const program = await stub(folder.path, `touch "$here/ran"`);

  const result = await convert(ffmpeg({ ffmpeg: program }), folder.path, {
    signal: AbortSignal.abort(),
  });

  assertEquals(result, { ok: false, reason: "aborted", detail: "" });
  const names = Array.from(Deno.readDirSync(folder.path), ({ name }) => name);
  assert(!names.includes("ran"));
});

Deno.test("Ffmpeg leaves no process when the signal is aborted", async () => {
  await using folder = await temporaryFolder();
  const program = await stub(
    folder.path,
    `trap '' TERM; echo $$ > "$here/said"; while true; do :; done`,
  );
  const controller = new AbortController();
  const { signal } = controller;
  const conversion = convert(ffmpeg({ ffmpeg: program }), folder.path, {
    signal,
  });
  const processId = await heard(folder.path);
  assert(await isRunning(processId));

  controller.abort();

  assertEquals(await conversion, { ok: false, reason: "aborted", detail: "" });
  assert(!await isRunning(processId));
});

Deno.test("Ffmpeg does not wait for child processes that the program leaves behind", async () => {
  await using folder = await temporaryFolder();
  const program = await stub(
    folder.path,
    `sleep 1000 & echo $! > "$here/said"; wait`,
  );
  const controller = new AbortController();
  const { signal } = controller;
  const conversion = convert(ffmpeg({ ffmpeg: program }), folder.path, {
    signal,
  });
  const childId = await heard(folder.path);

  controller.abort();

  const result = await conversion;
  assert(!result.ok && result.reason === "aborted");
  Deno.kill(Number(childId), "SIGKILL");
});
