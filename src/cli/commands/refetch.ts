import type { Call } from "../call/call.ts";
import type { Command } from "../call/command.ts";
import {
  DIR_OPTION,
  JSON_OPTION,
  PLATFORMS_OPTION,
} from "../call/command_option.ts";
import { openCache } from "../call/directory.ts";
import { EXIT, Failure, UsageError } from "../call/failures.ts";
import { describeFailure, downloadOverHttp } from "../call/http_download.ts";
import { Interruption } from "../call/interruption.ts";
import type { Downloader } from "../../core/api/download.ts";
import type { RevalidatedEvent } from "../../core/api/events.ts";
import type { MediaCache } from "../../core/media_cache.ts";
import type { Media } from "../../core/api/media.ts";
import { keyOf } from "../../core/text/key.ts";
import { formatBytes } from "../../core/text/quantities.ts";
import { shortKey } from "../output/entry_record.ts";

/** `refetch`: asks the origin about one URL, however young its entry is. */
export const refetch: Command = {
  name: "refetch",
  operands: "URL",
  summary: "ask the origin whether a URL still has the same bytes",
  details: [
    "The origin is told which version is stored. If it has another, that takes the",
    "place of the stored bytes, and a bot that uses the folder serves it then. If",
    "the origin can't be asked, or refuses, the stored bytes stay, and the exit",
    "code is 1. What is not stored is downloaded. Nothing is evicted.",
  ],
  options: {
    dir: DIR_OPTION,
    whole: { help: "download all bytes, and compare them here" },
    "keep-gifs": { help: "store a GIF as it is, not as MP4" },
    platforms: PLATFORMS_OPTION,
    json: JSON_OPTION,
  },
  permissions: [
    "--allow-read=DIR --allow-write=DIR --allow-net=HOST",
    "and --allow-run=ffmpeg to turn a GIF into MP4",
  ],
  json: [
    "{ result, key, reason, mimetype, filename, size }",
    "(result is notModified: the origin says so; same: it has sent the same",
    "bytes; replaced: it has sent others; stored: nothing was stored before; or",
    "failed, with a reason; type, name and size are those of what is stored then,",
    "else null)",
  ],
  run,
};

/** The outcome of a call. */
interface Outcome {
  readonly result: RevalidatedEvent["result"] | "stored";
  readonly reason?: string | undefined;
  readonly media?: Media;
}

const DONE: Readonly<Record<Exclude<Outcome["result"], "failed">, string>> = {
  notModified: "unchanged, says the origin",
  same: "unchanged, by its bytes",
  replaced: "replaced by other bytes",
  stored: "stored, was not there before",
};

async function run(call: Call): Promise<number> {
  const { output, operands, canonicalUrl = (url: string) => url } = call;
  const [url, ...others] = operands;
  if (url === undefined) throw new UsageError("a URL is missing");
  if (others.length > 0) throw new UsageError("one URL is enough");
  await using opened = await openCache(call, {
    create: true,
    gifToMp4: !call.flag("keep-gifs"),
    canonicalUrl,
  });
  const { cache } = opened;
  const obstacle = await cache.probe();
  if (obstacle !== undefined) {
    throw new Failure(`can't store in ${call.dir}: ${obstacle}`);
  }
  using interruption = new Interruption(call.signal);
  const { signal } = interruption;
  const close = () => void cache.close({ abort: true });
  signal.addEventListener("abort", close, { once: true });
  const download: Downloader = call.flag("whole")
    ? (context) => downloadOverHttp({ ...context, headers: new Headers() })
    : downloadOverHttp;
  const { result, reason, media } = await ask(cache, url, download, signal);
  if (signal.aborted) return interruption.exitCode;
  const key = keyOf(canonicalUrl(url.toWellFormed()));
  if (call.flag("json")) {
    const { mimetype = null, filename = null, size = null } = media ?? {};
    const facts = { mimetype, filename, size };
    await output.json({ result, key, reason: reason ?? null, ...facts });
  } else if (result !== "failed") {
    const { mimetype, size = 0 } = media ?? {};
    await output.print(
      `${shortKey(key)}  ${DONE[result]}: ${mimetype}, ${formatBytes(size)}`,
    );
  }
  if (result !== "failed") return EXIT.ok;
  const kept = media === undefined ? "" : "; the stored bytes stay";
  output.complain(`${shortKey(key)} failed: ${reason}${kept}`);
  return EXIT.failure;
}

async function ask(
  cache: MediaCache,
  url: string,
  download: Downloader,
  signal: AbortSignal,
): Promise<Outcome> {
  let check: RevalidatedEvent | undefined;
  let uncached: string | undefined;
  let failure: unknown;
  const unsubscribe = cache.subscribe((event) => {
    if (event.type === "revalidated") check = event;
    else if (event.type === "uncached") uncached = event.reason;
  });
  const noted: Downloader = async (context) => {
    try {
      return await download(context);
    } catch (error) {
      failure = error;
      throw error;
    }
  };
  try {
    const options = { maxAgeMs: 0, staleWhileRevalidateMs: 0, signal };
    const media = await cache.getOrDownload(url, noted, options);
    await media[Symbol.asyncDispose]();
    if (check !== undefined) {
      const { result } = check;
      const reason = failure === undefined
        ? check.reason
        : describeFailure(failure);
      return { result, reason, media };
    }
    if (await media.stored) return { result: "stored", media };
    const reason = `not stored: ${uncached ?? "it is empty"}`;
    return { result: "failed", reason };
  } catch (error) {
    return { result: "failed", reason: describeFailure(error) };
  } finally {
    unsubscribe();
  }
}
