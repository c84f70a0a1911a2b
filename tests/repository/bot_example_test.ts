/**
 * The example bot, with the permissions that it asks for, on a stand-in for
 * Telegram.
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { pattern } from "../fixtures/bodies/bytes.ts";
import { BotApi, type SentFile } from "../fixtures/servers/bot_api.ts";
import { startExample } from "../fixtures/package/example.ts";
import { namesIn } from "../fixtures/directory/files.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";

const FILES: [method: string, filename: string, file: SentFile][] = [
  ["sendPhoto", "file_0.jpg", {
    kind: "photo",
    path: "photos/file_0.jpg",
    bytes: pattern(90_000),
  }],
  ["sendDocument", "plan 1.pdf", {
    kind: "document",
    path: "documents/file_1.pdf",
    bytes: pattern(6_000_000),
    facts: { file_name: "plan 1.pdf", mime_type: "application/pdf" },
  }],
  ["sendAnimation", "file_2.mp4", {
    kind: "animation",
    path: "animations/file_2.mp4",
    bytes: pattern(10_000),
  }],
  ["sendVideo", "file_3.mp4", {
    kind: "video",
    path: "videos/file_3.mp4",
    bytes: pattern(20_000),
    facts: { mime_type: "video/mp4" },
  }],
  ["sendVoice", "file_4.oga", {
    kind: "voice",
    path: "voice/file_4.oga",
    bytes: pattern(3_000),
    facts: { mime_type: "audio/ogg" },
  }],
  ["sendAudio", "song.mp3", {
    kind: "audio",
    path: "music/file_6.mp3",
    bytes: pattern(5_000),
    facts: { file_name: "song.mp3", mime_type: "audio/mpeg" },
  }],
  ["sendVideoNote", "file_7.mp4", {
    kind: "video_note",
    path: "video_notes/file_7.mp4",
    bytes: pattern(7_000),
  }],
  ["sendSticker", "file_5.webp", {
    kind: "sticker",
    path: "stickers/file_5.webp",
    bytes: pattern(4_000),
  }],
];

Deno.test("the bot sends back each file that it gets, also after two answers of 429, downloads it once, and shows its token nowhere", async () => {
  await using dir = await tempDir();
  await using api = new BotApi();
  const bot = await startExample("bot.ts", {
    cwd: dir.path,
    host: api.host,
    env: { BOT_TOKEN: api.token, TELEGRAM_API_ROOT: `http://${api.host}` },
  });
  await using cleanUp = new AsyncDisposableStack();
  // The stand-in would wait for a bot that continues after the test has failed.
  cleanUp.defer(async () => {
    if (!hasEnded) bot.kill("SIGKILL");
    await bot.status;
  });
  let hasEnded = false;
  const ended = bot.status.then(({ code }) => {
    hasEnded = true;
    throw new Error(`The bot ended with ${code}`);
  });

  for (const [method, filename, file] of [...FILES, ...FILES]) {
    api.busy = 2;
    const reply = await Promise.race([api.send(file), ended]);
    assertEquals([reply.method, reply.filename], [method, filename]);
    assertEquals(reply.bytes, file.bytes);
    assertEquals(api.busy, 0, "uploads that Telegram refused for now");
  }
  ended.catch(() => {});
  bot.kill("SIGTERM");
  // A poll that the bot has begun in this moment lasts for 30 s with Telegram.
  api.endPolls();

  const { code, stderr } = await bot.output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  for (const [, , { path }] of FILES) assertEquals(api.downloads.get(path), 1);
  const cacheDir = join(dir.path, "media_cache");
  const names = await namesIn(cacheDir);
  assertEquals(names.length, 2 * FILES.length);
  for (const name of names) {
    const text = await Deno.readTextFile(join(cacheDir, name));
    assert(!`${name} ${text}`.includes(api.token), name);
  }
});
