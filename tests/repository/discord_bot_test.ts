/**
 * The Discord bot of examples/, with the permissions that it asks for, on a stand-in for
 * API and gateway; its media host is pinned to loopback.
 */
import { assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { pattern } from "../fixtures/bodies/bytes.ts";
import { filesWith } from "../fixtures/directory/files_with.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";
import { ExampleBot } from "../fixtures/package/example.ts";
import {
  CDN,
  DiscordApi,
  type UserMessage,
} from "../fixtures/servers/discord_api.ts";

const PINNED = fromFileUrl(
  new URL("../fixtures/servers/pinned_origins.ts", import.meta.url),
);
const BODY = pattern(90_000);

async function start(api: DiscordApi, cwd: string): Promise<ExampleBot> {
  const connected = api.connected();
  const bot = await ExampleBot.start("discord_bot.ts", {
    cwd,
    host: api.host,
    preload: PINNED,
    env: {
      BOT_TOKEN: api.token,
      DISCORD_API_ROOT: api.root,
      PINNED_ORIGINS: JSON.stringify({ [CDN]: `http://${api.host}` }),
    },
  });
  await bot.until(connected);
  return bot;
}

/** Ends the bot as Ctrl-C does. */
async function stop(api: DiscordApi, bot: ExampleBot): Promise<void> {
  const { code, text } = await bot.stop("SIGINT");
  assertEquals([code, text.includes(api.token)], [0, false], text);
}

/** Sends a message; returns the requests that the answer took. */
async function requestsFor(
  api: DiscordApi,
  bot: ExampleBot,
  message: UserMessage,
): Promise<string[]> {
  const before = api.requests.length;
  const { bytes, filename, channel } = await bot.until(api.say(message));
  assertEquals(bytes, BODY);
  assertEquals([filename, channel], ["cat.png", message.channel ?? "20"]);
  return api.requests.slice(before);
}

Deno.test("the Discord bot downloads an attachment once, and uploads it once in a channel, under whichever signature, also after a restart, and no secret is in a file", async () => {
  await using dir = await tempDir();
  await using api = new DiscordApi();
  const link = api.attach("cat.png", BODY);
  {
    await using bot = await start(api, dir.path);
    assertEquals(
      await requestsFor(api, bot, { attachments: [api.sign(link)] }),
      ["download", "upload"],
    );
    assertEquals(
      await requestsFor(api, bot, { attachments: [api.sign(link)], user: "8" }),
      ["forward"],
    );
    assertEquals(
      await requestsFor(api, bot, {
        content: `look <${api.sign(link)}>!`,
        user: "9",
      }),
      ["forward"],
    );
    await stop(api, bot);
  }

  await using bot = await start(api, dir.path);
  assertEquals(
    await requestsFor(api, bot, { attachments: [api.sign(link)] }),
    ["forward"],
  );
  assertEquals(
    await requestsFor(api, bot, {
      attachments: [api.sign(link)],
      channel: "21",
    }),
    ["upload"],
  );
  await stop(api, bot);
  for (const secret of [api.token, "5ec4e7"]) {
    assertEquals(await filesWith(dir.path, secret), []);
  }
});

Deno.test("the Discord bot waits after 429, refreshes a link that has expired, and uploads anew after its message was deleted", async () => {
  await using dir = await tempDir();
  await using api = new DiscordApi();
  await using bot = await start(api, dir.path);
  const link = api.attach("cat.png", BODY);
  const expired = api.sign(link);
  api.expireLinks();

  api.busy = 2;
  api.busyDownloads = 1;
  assertEquals(await requestsFor(api, bot, { content: expired }), [
    ...["download", "download", "refresh", "download"],
    ...["upload", "upload", "upload"],
  ]);
  api.busy = 1;
  assertEquals(
    await requestsFor(api, bot, { content: expired }),
    ["forward", "forward"],
  );
  api.deleteMessages();
  assertEquals(
    await requestsFor(api, bot, { content: expired }),
    ["forward", "upload"],
  );
  assertEquals(
    await requestsFor(api, bot, { content: expired }),
    ["forward"],
  );
  await stop(api, bot);
});

Deno.test("the Discord bot says what it lacks", async () => {
  await using dir = await tempDir();
  await using bot = await ExampleBot.start("discord_bot.ts", {
    cwd: dir.path,
    env: { BOT_TOKEN: "" },
  });

  const error = await bot.until(new Promise(() => {})).catch(({ message }) =>
    message
  );

  assertEquals(
    error,
    "discord_bot.ts ended with 2: BOT_TOKEN must be the token of a bot: it is not set\n",
  );
});
