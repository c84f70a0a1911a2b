import { assertEquals } from "@std/assert";
import {
  lastNumber,
  lastWords,
  readTail,
} from "../../../src/core/gif/ffmpeg_output.ts";
import { Random } from "../../fixtures/inputs/random.ts";

function streamOf(text: string, chunkBytes: () => number) {
  const bytes = new TextEncoder().encode(text);
  return new ReadableStream<Uint8Array>({
    start(controller) {
      for (let at = 0; at < bytes.length;) {
        const size = chunkBytes();
        controller.enqueue(bytes.subarray(at, at + size));
        at += size;
      }
      controller.close();
    },
  }).getReader();
}

Deno.test("readTail() keeps a short output whole, and whole words of a long one", async () => {
  const random = new Random();

  for (const chunkBytes of [() => 1, () => 9000, () => random.integer(1, 99)]) {
    const words = "abcdefg ".repeat(512);
    assertEquals(await readTail(streamOf(words, chunkBytes)), words);
    assertEquals(
      await readTail(streamOf(`${words}end`, chunkBytes)),
      `${words.slice(8)}end`,
      random.hint,
    );
  }
});

Deno.test("readTail() ends when the reader is cancelled", async () => {
  const reader = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new Uint8Array([0x61])),
  }).getReader();
  const tail = readTail(reader);

  await Promise.resolve();
  await reader.cancel();
  assertEquals(await tail, "a");
});

Deno.test("lastNumber() reads the last value of a key", () => {
  const progress = "frame=1\ndrop_frames=7\nframe=  23\nsize=N/A\n";

  assertEquals(lastNumber(progress, "frame"), 23);
  assertEquals(lastNumber(progress, "size"), NaN);
  assertEquals(lastNumber(progress, "speed"), NaN);
});

Deno.test("lastWords() leaves out paths and addresses", () => {
  const cases = [
    ["file:/a b/in.gif: Bad", "file:…: Bad"],
    ["open '/etc/passwd' (./x/y) ..\\z", "open '…' (…) …"],
    ["open '/home/bob/my dir/in.so': bad", "open '…': bad"],
    ['open "my dir/in.so", path=/opt/a;/opt/b', 'open "…", path=…;…'],
    ["'C:\\Program Files\\ff.exe' is bad", "'…' is bad"],
    ["[/var/x] </y> |/z| `/w` ,/v {/u}", "[…] <…> |…| `…` ,… {…}"],
    ["~/a in.d/b host.example/bot1:TOKEN/x \\\\host\\a", "… … … …"],
    ["http:/host/bot1:TOKEN file:/a file:///b", "… … …"],
    ["av_write(): Input/output error", "av_write(): Input/output error"],
    ["I/O error at 24000/1001: 3", "I/O error at 24000/1001: 3"],
    ["Unknown encoder 'libx264'", "Unknown encoder 'libx264'"],
    ["get https://host/bot1:TOKEN/x.gif", "get …"],
    ["C:\\Users\\me\\in.gif is bad", "… is bad"],
    ["[libx264 @ 0x55d0c1f0] Bad\u202e\u2028\u{e000}", "[libx264] Bad"],
    ["rate 20/1,\n\tcode 3\u001b[0m", "rate 20/1, code 3 [0m"],
  ] as const;

  for (const [message, expected] of cases) {
    assertEquals(lastWords(message, ["/a b/in.gif"]), expected);
  }
});

Deno.test("lastWords() are the end of a long output, at most 300 characters", () => {
  const words = "é🙂 ".repeat(200) + "the end";

  const last = lastWords(words, []);

  assertEquals(Array.from(last).length <= 300, true);
  assertEquals(last.startsWith("…é🙂 "), true);
  assertEquals(last.endsWith("the end"), true);
  assertEquals(Array.from(lastWords("x".repeat(999), [])).length, 300);
});
