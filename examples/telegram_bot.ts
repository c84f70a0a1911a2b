/**
 * A Telegram bot that sends each photo, sticker, voice note or video back as a file to
 * save. Telegram takes no `file_id` of another kind of media, so that the bytes must
 * pass through the bot: here once for each media, whoever sends it, also after a restart.
 *
 *     BOT_TOKEN=… deno run --allow-net=api.telegram.org --allow-env \
 *       --allow-read=media_cache --allow-write=media_cache \
 *       --allow-run=ffmpeg examples/telegram_bot.ts
 *
 * `TELEGRAM_API_ROOT` may name a Bot API server of your own.
 */
// deno-lint-ignore-file no-console
import { autoRetry } from "@grammyjs/auto-retry";
import { MediaCache, MediaCacheError } from "@media-cache/media-cache";
import { telegramFile } from "@media-cache/media-cache/platforms";
import { Bot, GrammyError, InputFile } from "grammy";

const token = Deno.env.get("BOT_TOKEN");
if (!token) {
  console.error("BOT_TOKEN must be the token of a bot: it is not set");
  Deno.exit(2);
}
const apiRoot = Deno.env.get("TELEGRAM_API_ROOT") ?? "https://api.telegram.org";
const bot = new Bot(token, { client: { apiRoot } });
// Sends once more what Telegram refuses for now; a lost connection is an error.
bot.api.config.use(autoRetry({ rethrowHttpErrors: true }));
const cache = await MediaCache.open({ cacheDir: "media_cache", retries: 2 });
const files = telegramFile(token, { apiRoot });

// Otherwise Telegram makes an animation of a GIF, and a video of an MP4.
const AS_IT_IS = { "disable_content_type_detection": true };

bot.on("message:file", async (ctx) => {
  const { photo, sticker, voice, audio, video, animation, document } = ctx.msg;
  const file = photo?.at(-1) ?? sticker ?? voice ?? audio ?? video ??
    ctx.msg.video_note ?? animation ?? document;
  if (file === undefined) return;
  const place = `telegram:${ctx.me.id}:document`;

  await cache.sendOnce(files.url(file), place, files.downloader(file), {
    again: (id) => ctx.replyWithDocument(id).catch(undefinedIfUnknown),
    first: async (media) => {
      const input = new InputFile(() => media.slice(0), media.filename);
      const result = await ctx.replyWithDocument(input, AS_IT_IS);
      return { result, handle: result.document.file_id };
    },
  });
});

/** The answer for a `file_id` that Telegram does not know any more: the file is sent anew. */
function undefinedIfUnknown(error: unknown): undefined {
  const isUnknown = error instanceof GrammyError && error.error_code === 400 &&
    /wrong (remote )?file/.test(error.description);
  if (!isUnknown) throw error;
}

// Of others only the name: what fetch says holds the URL, and the URL the token.
function reasonOf(error: unknown): string {
  if (error instanceof MediaCacheError) return error.message;
  if (error instanceof GrammyError) return error.message; // the words of Telegram
  return error instanceof Error ? error.name : typeof error;
}
bot.catch(({ error }) => console.error("Failed:", reasonOf(error)));

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
