/*
 * Sends, replaces and deletes a media in the folder that it is given, and is killed or
 * refused meanwhile. A handle says which bytes it stands for: `handleOf()`.
 */
import { MediaCache } from "../../mod.ts";
import { bytesOf } from "../fixtures/directory/files.ts";

/** The media. */
export const URL = "https://example.org/a.png";

/** The place that the media is sent to. */
export const PLACE = "telegram:1:photo";

/** The handle of an upload of so many bytes. */
export function handleOf(length: number): string {
  return `${length} bytes`;
}

/** Sends a body, replaces it, sends the new one, deletes it, and begins anew. */
async function run(cacheDir: string): Promise<void> {
  await using cache = await MediaCache.open({ cacheDir, onEvent() {} });
  const send = (length: number) =>
    cache.sendOnce(
      URL,
      PLACE,
      () => Promise.resolve({ data: bytesOf(length) }),
      {
        again: (handle) => Promise.resolve(handle),
        first: async (media) => {
          const handle = handleOf((await media.bytes()).length);
          await media.stored;
          return { result: "first", handle };
        },
      },
    );
  const replace = (length: number) =>
    cache.put(URL, bytesOf(length), "image/png", "a.png", { replace: true });
  await send(100);
  await send(100);
  await replace(200);
  await send(100);
  await cache.delete(URL);
  await send(300);
  if (!await replace(400)) return;
  await cache.setHandle(URL, "other", handleOf(400));
}

if (import.meta.main) await run(Deno.args[0] ?? "");
