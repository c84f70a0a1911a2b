/**
 * The Telegram bot of examples/, with the permissions that it asks for, on a stand-in for
 * the Bot API and its file server.
 */
import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { pattern } from "../fixtures/bodies/bytes.ts";
import { filesWith } from "../fixtures/directory/files_with.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";
import { ExampleBot } from "../fixtures/package/example.ts";
import { BotApi, type SentFile } from "../fixtures/servers/bot_api.ts";

const PHOTO: SentFile = {
  kind: "photo",
  path: "photos/file_0.jpg",
  bytes: pattern(90_000),
};

/** Files of each kind, with the name under which the bot sends each back. */
const FILES: [filename: string, file: SentFile][] = [
  ["file_0.jpg", PHOTO],
  ["plan 1.pdf", {
    kind: "document",
    path: "documents/file_1.pdf",
    bytes: pattern(6_000_000),
    facts: { file_name: "plan 1.pdf", mime_type: "application/pdf" },
  }],
  ["file_2.mp4", {
    kind: "animation",
    path: "animations/file_2.mp4",
    bytes: pattern(10_000),
  }],
  ["file_3.mp4", {
    kind: "video",
    path: "videos/file_3.mp4",
    bytes: pattern(20_000),
    facts: { mime_type: "video/mp4" },
  }],
  ["file_4.oga", {
    kind: "voice",
    path: "voice/file_4.oga",
    bytes: pattern(3_000),
    facts: { mime_type: "audio/ogg" },
  }],
  ["song.mp3", {
    kind: "audio",
    path: "music/file_6.mp3",
    bytes: pattern(5_000),
    facts: { file_name: "song.mp3", mime_type: "audio/mpeg" },
  }],
  ["file_7.mp4", {
    kind: "video_note",
    path: "video_notes/file_7.mp4",
    bytes: pattern(7_000),
  }],
  ["file_5.webp", {
    kind: "sticker",
    path: "stickers/file_5.webp",
    bytes: pattern(4_000),
  }],
];

/** The requests for a media that the bot sees for the first time, and later. */
const FIRST = ["getFile", "download", "upload sendDocument"];
const AGAIN = ["resend sendDocument"];

function start(api: BotApi, cwd: string): Promise<ExampleBot> {
  api.holdPolls();
  return ExampleBot.start("telegram_bot.ts", {
    cwd,
    host: api.host,
    env: { BOT_TOKEN: api.token, TELEGRAM_API_ROOT: `http://${api.host}` },
  });
}

/** Ends the bot as Ctrl-C does. */
async function stop(api: BotApi, bot: ExampleBot): Promise<void> {
  const stopped = bot.stop("SIGINT");
  // A poll that the bot has begun in this moment lasts for 30 s with Telegram.
  api.endPolls();
  const { code, text } = await stopped;
  assertEquals([code, text.includes(api.token)], [0, false], text);
}

/** Sends a file as a user; returns the requests that the answer took. */
async function requestsFor(
  api: BotApi,
  bot: ExampleBot,
  file: SentFile,
  user: number,
): Promise<string[]> {
  const before = api.requests.length;
  const { bytes } = await bot.until(api.send(file, user));
  assertEquals(bytes, file.bytes);
  return api.requests.slice(before);
}

Deno.test("the Telegram bot downloads and uploads a media of each kind once, whoever sends it, also after a restart, and its token is in no file", async () => {
  await using dir = await tempDir();
  await using api = new BotApi();
  api.movesFiles = true;

  {
    await using bot = await start(api, dir.path);
    for (const [filename, file] of FILES) {
      const reply = await bot.until(api.send(file, 7));
      assertEquals(
        [reply.method, reply.filename, reply.isUpload],
        ["sendDocument", filename, true],
      );
      assertEquals(reply.bytes, file.bytes);
    }
    assertEquals(api.requests, FILES.flatMap(() => FIRST));
    for (const [, file] of FILES) {
      assertEquals(await requestsFor(api, bot, file, 8), AGAIN, file.kind);
    }
    await stop(api, bot);
  }

  await using bot = await start(api, dir.path);
  for (const [, file] of FILES) {
    assertEquals(await requestsFor(api, bot, file, 9), AGAIN, file.kind);
  }
  await stop(api, bot);
  assertEquals(await filesWith(dir.path, api.token.split(":")[1]!), []);
});

Deno.test("the Telegram bot waits after 429, asks again for a path that is too old, and uploads anew what Telegram has forgotten", async () => {
  await using dir = await tempDir();
  await using api = new BotApi();
  await using bot = await start(api, dir.path);

  api.stale = 1;
  api.busyFiles = 1;
  api.busy = 2;
  assertEquals(await requestsFor(api, bot, PHOTO, 7), [
    ...["getFile", "getFile", "download", "getFile", "download"],
    ...["upload sendDocument", "upload sendDocument", "upload sendDocument"],
  ]);
  api.busy = 1;
  assertEquals(await requestsFor(api, bot, PHOTO, 8), [...AGAIN, ...AGAIN]);
  api.forgetUploads();
  assertEquals(await requestsFor(api, bot, PHOTO, 9), [
    ...AGAIN,
    "upload sendDocument",
  ]);
  assertEquals(await requestsFor(api, bot, PHOTO, 7), AGAIN);
  await stop(api, bot);
});

Deno.test("the Telegram bot says what it lacks", async () => {
  await using dir = await tempDir();
  await using bot = await ExampleBot.start("telegram_bot.ts", {
    cwd: dir.path,
    env: { BOT_TOKEN: "" },
  });

  const error = await bot.until(new Promise(() => {})).catch(({ message }) =>
    message
  );

  assertEquals(
    error,
    "telegram_bot.ts ended with 2: BOT_TOKEN must be the token of a bot: it is not set\n",
  );
});

Deno.test("the Telegram bot says that Telegram refuses its token, and does not show it", async () => {
  await using dir = await tempDir();
  await using api = new BotApi();
  await using bot = await ExampleBot.start("telegram_bot.ts", {
    cwd: dir.path,
    host: api.host,
    env: { BOT_TOKEN: "1:AAcanary", TELEGRAM_API_ROOT: `http://${api.host}` },
  });

  const { message } = await assertRejects(
    () => bot.until(new Promise(() => {})),
    Error,
    "ended with 1: ",
  );

  assertMatch(message, /^Cannot run: .*401: Unauthorized/m);
  assertEquals(message.includes("canary"), false, message);
});
