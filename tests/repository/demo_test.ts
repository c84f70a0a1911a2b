/** The example demo, without a terminal. */
import { assertEquals, assertMatch } from "@std/assert";
import { pattern } from "../fixtures/bodies/bytes.ts";
import { startExample } from "../fixtures/package/example.ts";
import { Origin } from "../fixtures/servers/origin.ts";
import { Tap } from "../fixtures/bodies/tap.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";

Deno.test("the demo shows a miss, hits, one download for many callers, and a GIF's conversion, in plain lines", async () => {
  await using dir = await tempDir();

  const { code, text } = await run(dir.path, []);

  assertEquals(code, 0, text);
  for (
    const line of [
      /night.mp4 +11.6 MiB +download: first byte .+, last byte .+/,
      /cat.png +91.1 KiB +memory in /,
      /night.mp4 +11.6 MiB +disk in /,
      /popular.mp4 +11.6 MiB +downloaded once, 232.6 MiB read, digests: 1\n/,
      /cradle.mp4 .* video\/mp4 after /,
      /misses \(19 joined\)/,
      /entries \(\d+ in memory\), [\d.]+ of 500 MiB\n/,
      /cat.png +91.1 KiB +disk in /,
      /The files stay in .*media-cache-demo-/,
    ]
  ) assertMatch(text, line);
  // Control characters other than line ends.
  assertEquals(text.match(/[^\P{Cc}\n]/u), null);
});

Deno.test("the demo downloads URLs, reports each failure in one line, and then ends with 1", async () => {
  await using dir = await tempDir();
  await using origin = new Origin();
  const photo = origin.bytes("/a%20photo.jpg", pattern(10_240));
  const urls = [origin.url("/none"), photo, "ftp://127.0.0.1/a", "nonsense"];

  const { code, text } = await run(dir.path, urls);

  assertEquals(code, 1, text);
  assertMatch(text, /\n +a photo.jpg +10.0 KiB +download: first byte .*\n/);
  assertMatch(text, /\n +a photo.jpg +10.0 KiB +memory in .*\n/);
  assertMatch(text, /\n +http:\S+none: .*404\n/);
  assertMatch(text, /\n +ftp:\S+a: not an HTTP URL\n/);
  assertMatch(text, /\n +nonsense: Invalid URL.*\n/);
});

Deno.test("the demo ends at Ctrl-C, in the middle of a download", async () => {
  await using dir = await tempDir();
  await using origin = new Origin();
  const { promise: asked, resolve } = Promise.withResolvers<void>();
  const endless = new Tap();
  const url = origin.on("/endless.mp4", () => {
    resolve();
    return new Response(endless.readable);
  });

  const demo = await start(dir.path, [url]);
  await asked;
  demo.kill("SIGINT");

  const { code, stdout } = await demo.output();
  assertEquals(code, 130);
  assertMatch(
    new TextDecoder().decode(stdout),
    /\n +Interrupted\nThe files stay in /,
  );
  await endless.cancelled;
});

async function run(cwd: string, args: string[]) {
  const { code, stdout, stderr } = await (await start(cwd, args)).output();
  const text = new TextDecoder().decode(stdout);
  return { code, text: text + new TextDecoder().decode(stderr) };
}

/** Files that the demo leaves behind go with the folder. */
function start(cwd: string, args: string[]): Promise<Deno.ChildProcess> {
  return startExample("demo.ts", { cwd, args, env: { TMPDIR: cwd } });
}
