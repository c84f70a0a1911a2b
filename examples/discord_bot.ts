/**
 * A Discord bot that answers each attachment, and each link to one, by a copy that does
 * not expire: it downloads and uploads a media once in each channel, and then forwards
 * its own message, also after a restart.
 *
 *     BOT_TOKEN=… deno run --allow-env \
 *       "--allow-net=discord.com,*.discord.gg,cdn.discordapp.com" \
 *       --allow-read=media_cache --allow-write=media_cache examples/discord_bot.ts
 *
 * It needs the intent "message content". `DISCORD_API_ROOT` may name another API.
 */
// deno-lint-ignore-file no-console
import * as discord from "@discordeno/bot";
import { MediaCache, MediaCacheError } from "@media-cache/media-cache";
import {
  discordRefresh,
  platforms,
  withRefresh,
} from "@media-cache/media-cache/platforms";

const token = Deno.env.get("BOT_TOKEN");
if (!token) {
  console.error("BOT_TOKEN must be the token of a bot: it is not set");
  Deno.exit(2);
}
const apiRoot = Deno.env.get("DISCORD_API_ROOT") ?? "https://discord.com/api";
const cache = await MediaCache.open({
  cacheDir: "media_cache",
  canonicalUrl: platforms(),
  retries: 2,
  gifToMp4: false, // Discord plays GIFs itself
});
const download = withRefresh(
  ({ url, signal, headers }) => fetch(url, { signal, headers }),
  discordRefresh(token, { apiRoot: `${apiRoot}/v10` }),
);

const LINKS = /https:\/\/cdn\.discordapp\.com\/attachments\/[^\s<>)]+/g;
const bot = discord.createBot({
  token,
  intents: discord.Intents.GuildMessages | discord.Intents.MessageContent,
  desiredProperties: {
    message: {
      author: true,
      channelId: true,
      content: true,
      attachments: true,
    },
    attachment: { url: true },
    user: { id: true },
  },
});
bot.rest.baseUrl = apiRoot; // `rest.proxy` would leave 429 to the proxy

bot.events.messageCreate = async (message) => {
  const { author, channelId, content, attachments = [] } = message;
  if (author.id === bot.id) return;
  const links = content.match(LINKS) ?? [];
  for (const url of [...attachments.map(({ url }) => url), ...links]) {
    await copy(url, channelId).catch(report);
  }
};

async function copy(url: string, channelId: bigint): Promise<void> {
  const type = discord.DiscordMessageReferenceType.Forward;
  const forward = (messageId: string) =>
    bot.rest.sendMessage(channelId, {
      messageReference: { type, channelId, messageId, failIfNotExists: true },
    });
  const place = `discord:${bot.id}:${channelId}`;
  await cache.sendOnce(url, place, download, {
    again: (id) => forward(id).catch(undefinedIfUnknown),
    first: async (media) => {
      const file = { blob: await media.blob(), name: media.filename };
      const result = await bot.rest.sendMessage(channelId, { files: [file] });
      return { result, handle: result.id };
    },
  });
}

/** The answer for a message that was deleted: the file is sent anew. */
function undefinedIfUnknown(error: { cause?: { body?: string } }): undefined {
  if (!error.cause?.body?.includes("UNKNOWN_MESSAGE")) throw error;
}

// Of others only the name: other errors may hold a link.
function report(error: unknown): void {
  const { message, name } = error instanceof Error ? error : new Error();
  console.error("Failed:", error instanceof MediaCacheError ? message : name);
}

async function stop(): Promise<void> {
  await bot.shutdown();
  await cache.close();
  Deno.exit();
}
Deno.addSignalListener("SIGINT", stop);
if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", stop);
await bot.start();
