/**
 * The Matrix bot of examples/, with the permissions that it asks for, on a stand-in for a
 * homeserver and its store. The crypto library of matrix-bot-sdk is a binary that its
 * package does not contain; the test has an empty one in its place.
 */
import { assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { pattern } from "../fixtures/bodies/bytes.ts";
import { filesWith } from "../fixtures/directory/files_with.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";
import { ExampleBot } from "../fixtures/package/example.ts";
import { MatrixHomeserver } from "../fixtures/servers/matrix_homeserver.ts";

const NO_CRYPTO = fromFileUrl(
  new URL("../fixtures/package/no_matrix_crypto.ts", import.meta.url),
);
const MEDIA = {
  bytes: pattern(90_000),
  type: "image/png",
  name: "cat.png",
};

async function start(
  server: MatrixHomeserver,
  cwd: string,
): Promise<ExampleBot> {
  const connected = server.connected();
  const bot = await ExampleBot.start("matrix_bot.ts", {
    cwd,
    host: server.hosts,
    preload: NO_CRYPTO,
    env: { HOMESERVER: server.root, ACCESS_TOKEN: server.token },
  });
  await bot.until(connected);
  return bot;
}

/** Ends the bot as Ctrl-C does. */
async function stop(server: MatrixHomeserver, bot: ExampleBot): Promise<void> {
  const { code, text } = await bot.stop("SIGINT");
  assertEquals([code, text.includes(server.token)], [0, false], text);
}

/** Sends a media as a user; returns the requests that the answer took. */
async function requestsFor(
  server: MatrixHomeserver,
  bot: ExampleBot,
  url: string,
  user: string,
): Promise<string[]> {
  const before = server.requests.length;
  const content = { msgtype: "m.image", body: "a cat", url };
  const { url: own, ...media } = await bot.until(server.say(content, user));
  assertEquals(media, MEDIA);
  assertEquals(new URL(own).host, "hs.example");
  return server.requests.slice(before);
}

Deno.test("the Matrix bot downloads and uploads a media once, whoever sends it, also after a restart, and its token is in no file", async () => {
  await using dir = await tempDir();
  await using server = new MatrixHomeserver();
  const url = server.put(MEDIA);
  {
    await using bot = await start(server, dir.path);
    assertEquals(
      await requestsFor(server, bot, url, "@ann:hs.example"),
      ["download", "store", "upload", "send"],
    );
    assertEquals(
      await requestsFor(server, bot, url, "@bob:hs.example"),
      ["send"],
    );
    await stop(server, bot);
  }

  await using bot = await start(server, dir.path);
  assertEquals(
    await requestsFor(server, bot, url, "@eve:hs.example"),
    ["send"],
  );
  await stop(server, bot);
  assertEquals(await filesWith(dir.path, server.token), []);
  assertEquals(server.shownToStore, []);
});

Deno.test("the Matrix bot waits after 429, and asks again for a link of the store that has expired", async () => {
  await using dir = await tempDir();
  await using server = new MatrixHomeserver();
  await using bot = await start(server, dir.path);
  const url = server.put(MEDIA);

  server.stale = 1;
  server.busyDownloads = 1;
  server.busy = 2;
  assertEquals(await requestsFor(server, bot, url, "@ann:hs.example"), [
    ...["download", "download", "store", "download", "store"],
    ...["upload", "upload", "upload", "send"],
  ]);
  server.busy = 1;
  assertEquals(
    await requestsFor(server, bot, url, "@bob:hs.example"),
    ["send", "send"],
  );
  await stop(server, bot);
});

Deno.test("the Matrix bot asks for nothing with a URL that is no media", async () => {
  await using dir = await tempDir();
  await using server = new MatrixHomeserver();
  await using bot = await start(server, dir.path);
  const url = server.put(MEDIA);

  for (
    const other of [
      undefined,
      7,
      "https://evil.example/a.png",
      "mxc://x/../../../v3/account/whoami",
    ]
  ) server.say({ msgtype: "m.image", body: "a cat", url: other });

  await requestsFor(server, bot, url, "@bob:hs.example");
  await stop(server, bot);
  assertEquals(server.requests, ["download", "store", "upload", "send"]);
});

Deno.test("the Matrix bot says what it lacks", async () => {
  await using dir = await tempDir();
  await using bot = await ExampleBot.start("matrix_bot.ts", {
    cwd: dir.path,
    preload: NO_CRYPTO,
    env: { HOMESERVER: "", ACCESS_TOKEN: "" },
  });

  const error = await bot.until(new Promise(() => {})).catch(({ message }) =>
    message
  );

  assertEquals(
    error,
    "matrix_bot.ts ended with 2: HOMESERVER and ACCESS_TOKEN must be set: one of them is not\n",
  );
});
