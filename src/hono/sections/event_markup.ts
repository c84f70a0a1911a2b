import { basename } from "@std/path/basename";
import { html } from "hono/html";
import { formatBytes, formatDuration } from "../../core/text/quantities.ts";
import { errorFacts, failureReason } from "../../core/text/failure_reason.ts";
import { describeRefusal } from "../../core/text/refusable.ts";
import type {
  MediaCacheEvent,
  RevalidatedEvent,
} from "../../core/api/events.ts";
import type { Markup } from "./markup.ts";
import type { RecentEvent } from "../metrics/recent_events.ts";

type EventType = MediaCacheEvent["type"];

const LABELS: Readonly<Record<EventType, string>> = {
  loaded: "Loaded",
  hit: "Hit",
  miss: "Miss",
  joined: "Joined",
  stored: "Stored",
  evicted: "Evicted",
  deleted: "Deleted",
  dropped: "Dropped",
  converted: "Converted",
  kept: "Kept a GIF",
  conversionUnavailable: "GIFs stay",
  skipped: "Skipped",
  uncached: "Not stored",
  failed: "Failed",
  diskError: "Disk error",
  degraded: "Degraded",
  remoteHit: "Remote hit",
  revalidated: "Checked",
  remoteDown: "Remote down",
  remoteUp: "Remote up",
};

/** The outcomes of a check by `maxAgeMs`. */
const REVALIDATED: Readonly<Record<RevalidatedEvent["result"], string>> = {
  notModified: "not modified",
  same: "the same bytes again",
  replaced: "other bytes now",
  failed: "failed, the old bytes stay",
};

const BAD: ReadonlySet<EventType> = new Set([
  "failed",
  "diskError",
  "degraded",
  "remoteDown",
  "conversionUnavailable",
]);

/**
 * Returns an event as an item of a list. `named` tells whether names may be
 * shown.
 */
export function eventMarkup(
  { event, count }: RecentEvent,
  named: boolean,
): Markup {
  const name = named ? nameOf(event) : "";
  // A failed download has no entry, so its URL stands only here.
  const url = named && event.type === "failed" ? event.url : undefined;
  const label = LABELS[event.type];
  return html`
    <li
      class="${BAD.has(event.type) ? "bad" : ""}">${timeMarkup(
        event.time,
        "time",
      )} <span class="label">${count === 1
        ? label
        : `${label} × ${count}`}</span> <span>${name} <span class="note">${detailOf(
          event,
          named,
        )}</span>${url === undefined ? "" : html`
        <span class="note url" title="${url}">${url}</span>
      `}</span></li>
  `;
}

/** Returns a time in UTC, which the page's script shows as local time. */
export function timeMarkup(timeMs: number, form: "date" | "time"): Markup {
  if (timeMs <= 0) return html`<span class="note">unknown</span>`;
  const iso = new Date(timeMs).toISOString();
  const text = form === "date"
    ? iso.slice(0, 16).replace("T", " ")
    : iso.slice(11, 19);
  return html`<time datetime="${iso}" data-form="${form}">${text}</time>`;
}

/**
 * Returns a name for an event: the host of a failed download, but no URL of
 * other events.
 */
function nameOf(event: MediaCacheEvent): string {
  if (event.type === "failed") {
    return URL.parse(event.url)?.host || event.key.slice(0, 12);
  }
  if ("filename" in event && event.filename !== undefined) {
    return event.filename;
  }
  if ("path" in event) return basename(event.path);
  return "key" in event ? event.key.slice(0, 12) : "";
}

/** Returns further facts of an event. A reason may hold a path. */
function detailOf(event: MediaCacheEvent, named: boolean): string {
  switch (event.type) {
    case "loaded":
      return `${event.entries} entries, ${formatBytes(event.totalBytes)}, in ${
        took(event.durationMs)
      }`;
    case "hit":
      return `${formatBytes(event.size)} from ${event.source}`;
    case "miss":
      return event.size === undefined ? "" : formatBytes(event.size);
    case "joined":
      return `at ${formatBytes(event.received)}`;
    case "stored":
      return `${formatBytes(event.size)} after ${took(event.durationMs)}`;
    case "evicted":
    case "deleted":
      return formatBytes(event.size);
    case "converted":
      return `${formatBytes(event.sourceSize)} to ${
        formatBytes(event.size)
      } in ${took(event.durationMs)}`;
    case "failed":
      return `${failureReason(event)} after ${formatBytes(event.received)}`;
    case "diskError":
      return `could not ${event.operation}: ${
        failureReason(errorFacts(event.error))
      }`;
    case "degraded":
      return describeRefusal(event);
    case "remoteHit":
      return `${formatBytes(event.size)} after ${took(event.durationMs)}`;
    case "revalidated":
      return `${REVALIDATED[event.result]}${
        event.reason === undefined ? "" : `: ${event.reason}`
      }, after ${took(event.durationMs)}`;
    case "remoteDown":
      return event.reason;
    case "remoteUp":
      return `after ${took(event.downMs)}`;
    case "dropped":
    case "kept":
    case "conversionUnavailable":
    case "skipped":
    case "uncached":
      return named ? event.reason : "";
  }
}

function took(durationMs: number): string {
  if (durationMs >= 1000) return formatDuration(durationMs);
  return durationMs < 1 ? "less than 1 ms" : `${Math.round(durationMs)} ms`;
}
