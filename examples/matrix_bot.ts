/**
 * A Matrix bot that copies each media of its rooms to its own homeserver, so that it stays
 * when the sender's homeserver is gone. A media is downloaded and uploaded once, whoever
 * sends it in whichever room, also after a restart.
 *
 *     HOMESERVER=https://matrix.example.org ACCESS_TOKEN=… deno run --allow-env \
 *       --allow-net=matrix.example.org --allow-read=media_cache,matrix_bot \
 *       --allow-write=media_cache,matrix_bot --allow-ffi examples/matrix_bot.ts
 *
 * The install script of matrix-bot-sdk fetches a binary for encryption, which this bot does
 * not use, but its library loads: `deno install --node-modules-dir=auto \
 * --allow-scripts=npm:@matrix-org/matrix-sdk-crypto-nodejs`.
 */
// deno-lint-ignore-file no-console
import { Buffer } from "node:buffer";
import { setTimeout } from "node:timers/promises";
import { MediaCache, MediaCacheError } from "@media-cache/media-cache";
import { withRefresh } from "@media-cache/media-cache/platforms";
import * as matrix from "matrix-bot-sdk";

const homeserver = Deno.env.get("HOMESERVER");
const token = Deno.env.get("ACCESS_TOKEN");
if (!homeserver || !token) {
  console.error("HOMESERVER and ACCESS_TOKEN must be set: one of them is not");
  Deno.exit(2);
}
matrix.LogService.setLevel(matrix.LogLevel.WARN);
const storage = new matrix.SimpleFsStorageProvider("matrix_bot/sync.json");
const client = new matrix.MatrixClient(homeserver, token, storage);
matrix.AutojoinRoomsMixin.setupOnClient(client);
const me = await client.getUserId();
const cache = await MediaCache.open({
  cacheDir: "media_cache",
  gifToMp4: false, // clients of Matrix play GIFs themselves
});

const headers = { authorization: `Bearer ${token}` };
const mediaApi = `${homeserver}/_matrix/client/v1/media/download/`;
const download = withRefresh(
  ({ url, signal }) =>
    fetch(url.replace("mxc://", mediaApi), { headers, signal }),
  // Homeservers redirect to links of their store, which expire: ask for another.
  (url) => Promise.resolve(url),
);

client.on("room.message", async (room: string, { sender, content }) => {
  const { url } = content;
  // Any other form could lead to other places of the homeserver, with the token.
  if (sender === me || !/^mxc:\/\/[\w.:-]+\/[\w-]+$/.test(url)) return;
  const place = `matrix:${me}`;
  const send = (url: string) => client.sendMessage(room, { ...content, url });

  await cache.sendOnce(url, place, download, {
    again: (mxc) => patiently(() => send(mxc)),
    first: async (media) => {
      const { mimetype, filename } = media;
      const bytes = Buffer.from(await media.bytes());
      const mxc = await patiently(() =>
        client.uploadContent(bytes, mimetype, filename)
      );
      return { result: await patiently(() => send(mxc)), handle: mxc };
    },
  }).catch(report);
});

/** Does a task, and does it once more after the time that the homeserver asks for. */
async function patiently<T>(task: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await task();
    } catch (error) {
      if (!(error instanceof matrix.MatrixError) || !error.retryAfterMs) {
        throw error;
      }
      await setTimeout(error.retryAfterMs);
    }
  }
}

// Of others only the name: other errors may hold a link or the token.
function report(error: unknown): void {
  const { message, name } = error instanceof Error ? error : new Error();
  console.error(error instanceof MediaCacheError ? message : name);
}

async function stop(): Promise<void> {
  client.stop();
  await cache.close();
  Deno.exit(); // the poll for new messages would last for 10 s
}
Deno.addSignalListener("SIGINT", stop);
if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", stop);

await client.start();
console.log(`I am ${me}`);
