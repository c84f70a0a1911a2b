/**
 * A Telegram bot that sends back what it is sent, through the cache.
 *
 *     BOT_TOKEN=… deno run --allow-net=api.telegram.org --allow-env \
 *       --allow-read=media_cache --allow-write=media_cache \
 *       --allow-run=ffmpeg examples/bot.ts
 *
 * `TELEGRAM_API_ROOT` may name a Bot API server of your own.
 */
// deno-lint-ignore-file no-console
import { autoRetry } from "@grammyjs/auto-retry";
import { MediaCache, MediaCacheError } from "@media-cache/media-cache";
import { Bot, InputFile } from "grammy";

const token = Deno.env.get("BOT_TOKEN");
if (!token) {
  console.error("BOT_TOKEN must be the token of a bot: it is not set");
  Deno.exit(2);
}
const apiRoot = Deno.env.get("TELEGRAM_API_ROOT") ?? "https://api.telegram.org";
const bot = new Bot(token, { client: { apiRoot } });
// Sends once more what Telegram refuses for now; a lost connection is an error.
bot.api.config.use(autoRetry({ rethrowHttpErrors: true }));
const cache = await MediaCache.open({ cacheDir: "media_cache" });

bot.on("message:file", async (ctx) => {
  const { photo, sticker, voice, audio, video, animation, document } = ctx.msg;
  const note = ctx.msg.video_note;
  const file = photo?.at(-1) ?? sticker ?? voice ?? audio ?? video ?? note ??
    animation ?? document;
  if (file === undefined) return;

  // Not by the file's URL, which holds the token and differs between senders.
  const key = `tg:${file.file_unique_id}`;
  await using media = await cache.getOrDownload(key, async ({ signal }) => {
    const { file_path: path } = await bot.api.getFile(file.file_id);
    const url = `${apiRoot}/file/bot${token}/${path}`;
    const response = await fetch(url, { signal });
    const { ok, body: data } = response;
    if (!ok || !data) return response; // for the cache to make an error of
    // Telegram's file server tells no type; a cache takes what it is told.
    const mimetype = (voice ?? audio ?? video ?? animation ?? document)
      ?.mime_type ?? (photo ? "image/jpeg" : note && "video/mp4");
    const filename = (audio ?? document)?.file_name ?? path;
    return { data, mimetype, filename, size: file.file_size };
  });

  // A new stream each time: after a 429 the file is sent once more.
  const input = new InputFile(() => media.slice(0), media.filename);
  if (photo) await ctx.replyWithPhoto(input);
  else if (sticker) await ctx.replyWithSticker(input);
  else if (voice) await ctx.replyWithVoice(input);
  else if (audio) await ctx.replyWithAudio(input);
  else if (video) await ctx.replyWithVideo(input);
  else if (note) await ctx.replyWithVideoNote(input);
  else if (animation) await ctx.replyWithAnimation(input);
  else await ctx.replyWithDocument(input);
});

// Of others only the name: what fetch says holds the URL, and the URL the token.
function reasonOf(error: unknown): string {
  if (error instanceof MediaCacheError) return error.message;
  return error instanceof Error ? error.name : typeof error;
}
bot.catch(({ error }) => console.error(reasonOf(error)));

let isStopping = false;
function stop(): void {
  isStopping = true;
  // It tells Telegram what was seen, which may be out of reach.
  bot.stop().catch((error) => console.error(reasonOf(error)));
}
Deno.addSignalListener("SIGINT", stop);
if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", stop);

console.log("Connecting to Telegram");
try {
  await bot.start({
    onStart: ({ username }) => console.log(`I am ${username}`),
  });
} catch (error) {
  // While Telegram can't be reached, stopping ends the wait with an error.
  if (!isStopping) {
    console.error(`Cannot run: ${reasonOf(error)}`);
    Deno.exitCode = 1;
  }
}
await cache.close();
Deno.exit(); // grammY's idle connections would keep the process alive
