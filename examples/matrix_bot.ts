/**
 * A Matrix bot that copies each media of its rooms to its own homeserver, so that it stays
 * when the sender's homeserver is gone. A media is downloaded and uploaded once, whoever
 * sends it in whichever room, also after a restart.
 *
 *     HOMESERVER=https://matrix.example.org ACCESS_TOKEN=… deno run --allow-env \
 *       --allow-net=matrix.example.org --allow-sys --allow-ffi=node_modules \
 *       --allow-read=media_cache,matrix_bot,node_modules \
 *       --allow-write=media_cache,matrix_bot examples/matrix_bot.ts
 *
 * `deno install --allow-scripts=npm:@matrix-org/matrix-sdk-crypto-nodejs` fetches a binary
 * that matrix-bot-sdk loads. Both commands need `--node-modules-dir=auto`.
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

type ApiRequest = Parameters<matrix.MatrixClient["doRequest"]>;
/** Waits and asks once more when the homeserver answers 429, as often as it does. */
class PatientClient extends matrix.MatrixClient {
  override async doRequest(...request: ApiRequest): Promise<unknown> {
    for (;;) {
      try {
        return await super.doRequest(...request);
      } catch (error) {
        const { retryAfterMs: waitMs } = error as matrix.MatrixError;
        if (waitMs === undefined) throw error;
        await setTimeout(waitMs);
      }
    }
  }
}
const storage = new matrix.SimpleFsStorageProvider("matrix_bot/sync.json");
const bot = new PatientClient(homeserver, token, storage);
matrix.AutojoinRoomsMixin.setupOnClient(bot);
const me = await bot.getUserId();
const cache = await MediaCache.open({
  cacheDir: "media_cache",
  retries: 2,
  gifToMp4: false, // clients of Matrix play GIFs themselves
});

const mediaApi = `${homeserver}/_matrix/client/v1/media/download/`;
const download = withRefresh(
  ({ url, signal, headers }) => {
    headers.set("authorization", `Bearer ${token}`);
    return fetch(url.replace("mxc://", mediaApi), { signal, headers });
  },
  // Homeservers redirect to links of their store, which expire: ask for another.
  (url) => Promise.resolve(url),
);

bot.on("room.message", (room: string, { sender, content }) => {
  // Any other form could lead to other places of the homeserver, with the token.
  const isMedia = /^mxc:\/\/[\w.:-]+\/[\w-]+$/.test(content?.url);
  if (sender !== me && isMedia) copy(room, content).catch(report);
});

async function copy(room: string, content: { url: string }): Promise<void> {
  const send = (url: string) => bot.sendMessage(room, { ...content, url });
  const place = `matrix:${me}`;

  await cache.sendOnce(content.url, place, download, {
    again: send,
    first: async (media) => {
      const data = Buffer.from(await media.bytes());
      const mxc = await bot.uploadContent(data, media.mimetype, media.filename);
      return { result: await send(mxc), handle: mxc };
    },
  });
}

// Of others only the name: other errors may hold a link or the token.
function report(error: unknown): void {
  const { message, name } = error instanceof Error ? error : new Error();
  console.error("Failed:", error instanceof MediaCacheError ? message : name);
}

async function stop(): Promise<void> {
  bot.stop();
  await cache.close();
  Deno.exit(); // the poll for new messages would last for 10 s
}
Deno.addSignalListener("SIGINT", stop);
if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", stop);

await bot.start();
console.log(`I am ${me}`);
