import { describeRefusal } from "../text/refusable.ts";
import { failureReason } from "../text/failure_reason.ts";
import { MediaCacheError } from "./errors.ts";
import type {
  EntryEventBase,
  FailedEvent,
  MediaCacheEvent,
  RevalidatedEvent,
} from "./events.ts";

/**
 * Formats an event as one line of a log, as the Python original does.
 *
 * No line holds a URL, since URLs may hold secrets: in place of a URL stand the
 * first 12 digits of its key.
 *
 * @param event The event.
 * @returns The line, without a line end.
 *
 * @example Log what the cache does
 * ```ts
 * import { formatEvent, MediaCache } from "@media-cache/media-cache";
 * import { assert } from "@std/assert";
 *
 * const lines: string[] = [];
 * await using cache = await MediaCache.open({
 *   cacheDir: await Deno.makeTempDir(),
 *   onEvent: (event) => lines.push(formatEvent(event)),
 * });
 * await cache.put("https://example.org/a", new Uint8Array(3), "image/png", "a.png");
 * await cache.get("https://example.org/a");
 *
 * assert(lines.includes("Media cache HIT: a.png (image/png, 3 bytes)"));
 * ```
 */
export function formatEvent(event: MediaCacheEvent): string {
  switch (event.type) {
    case "loaded":
      return `Media cache: loaded ${event.entries} entries from disk (${
        (event.totalBytes / 1_048_576).toFixed(1)
      } MB)`;
    case "hit":
      return `Media cache HIT: ${body(event)}`;
    case "miss":
      return event.filename === undefined
        ? `Media cache MISS: downloading ${entry(event)}`
        : `Media cache MISS: downloading ${body(event)}`;
    case "remoteHit":
      return `Media cache REMOTE HIT: ${body(event)}`;
    case "revalidated":
      return `Media cache: ${revalidation(event)}`;
    case "joined":
      return `Media cache: joined the download of ${
        entry(event)
      } at byte ${event.received}`;
    case "stored":
      return `Media cache: stored ${body(event)}`;
    case "evicted":
      return `Media cache: evicted ${event.filename} (${entry(event)})`;
    case "deleted":
      return `Media cache: deleted ${entry(event)}`;
    case "dropped":
      return `Media cache: dropped ${entry(event)}: ${event.reason}`;
    case "converted":
      return `Media cache: converted ${
        body(event)
      } from a GIF of ${event.sourceSize} bytes`;
    case "kept":
      return `Media cache: kept GIF ${entry(event)}: ${event.reason}`;
    case "conversionUnavailable":
      return `Media cache: GIFs stay GIFs: ${event.reason}`;
    case "skipped":
      return `Skipping ${
        event.path.endsWith(".json") ? "unreadable cache meta" : "cache file"
      } ${event.path}: ${event.reason}`;
    case "uncached":
      return `Media cache: not storing ${entry(event)}: ${event.reason}`;
    case "failed":
      return `Media cache: download of ${
        entry(event)
      } failed after ${event.received} bytes: ${failure(event)}`;
    case "diskError":
      return `Media cache: could not ${event.operation}: ${
        messageOf(event.error)
      }`;
    case "degraded":
      return `Media cache: ${describeRefusal(event)}`;
    case "remoteDown":
      return `Media cache: the remote tier is down: ${event.reason}`;
    case "remoteUp":
      return `Media cache: the remote tier is up again after ${
        Math.round(event.downMs)
      } ms`;
  }
}

function entry(event: EntryEventBase): string {
  return event.key.slice(0, 12);
}

function revalidation(event: RevalidatedEvent): string {
  const { result, reason } = event;
  if (result === "replaced") return `the origin has changed ${body(event)}`;
  return result === "failed"
    ? `could not revalidate ${body(event)}: ${reason}`
    : `revalidated ${body(event)}`;
}

function body(
  event: {
    filename?: string | undefined;
    mimetype?: string | undefined;
    size: number | undefined;
  },
): string {
  return `${event.filename} (${event.mimetype}, ${
    event.size ?? "unknown"
  } bytes)`;
}

/** The cache's own messages hold no URL; other messages may. */
function failure(event: FailedEvent): string {
  const { name, error } = event;
  const reason = failureReason(event);
  if (error instanceof MediaCacheError) return `${name}: ${error.message}`;
  return reason === name ? name : `${name}: ${reason}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
