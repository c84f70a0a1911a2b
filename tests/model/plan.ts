import type { Random } from "../fixtures/inputs/random.ts";
import { gifOf, MIN_GIF_BYTES, MIN_VIDEO_BYTES, videoOf } from "./bodies.ts";
import type { Caps } from "./cache_model.ts";
import { type Behaviour, type DownloadPlan, LEAVING } from "./download.ts";

/** The options that decide the result of a download. */
export interface Conversion {
  /** The option `gifToMp4.onlyIfSmaller` of the cache. */
  onlyIfSmaller: boolean;
  /** The option `whenAbandoned` of the cache. */
  whenAbandoned: "finish" | "abort";
}

/** A plan, and the result for a GIF if it is one. */
export interface PlannedDownload extends DownloadPlan {
  /** Whether a video must have been made of it. */
  video: "made" | "failed" | undefined;
  /**
   * Whether the download counts as failed; undefined where all callers leave a
   * body and that ends it, unless it has failed before.
   */
  isFailure: boolean | undefined;
}

/** The type of a body is certain after this many bytes, or at its end. */
const TYPE_BYTES = 6;

const STAYING: readonly Behaviour[] = ["read", "slice", "wait"];

/** Chooses a download, and states its expected result. */
export function planDownload(
  random: Random,
  caps: Caps,
  options: Conversion,
  { body, isGif }: { body: Uint8Array<ArrayBuffer>; isGif: boolean },
): PlannedDownload {
  return isGif
    ? planGif(random, caps, options, body.length)
    : planOther(random, caps, options, body);
}

function planOther(
  random: Random,
  { maxEntryBytes }: Caps,
  { whenAbandoned }: Conversion,
  bytes: Uint8Array<ArrayBuffer>,
): PlannedDownload {
  const size = bytes.length;
  const form = random.pick(["stream", "response", "bytes"] as const);
  const isWhole = form === "bytes";
  const declared = random.pick([
    undefined,
    size,
    size,
    size,
    lie(random, size),
  ]);
  const failsAt = !isWhole && random.chance(6)
    ? random.pick([-1, 0, random.integer(0, size)])
    : undefined;
  const isHeld = !isWhole && Math.min(failsAt ?? size, size) >= TYPE_BYTES;
  const behaviours = !isHeld ? STAYING : [...STAYING, ...LEAVING];
  const callers = choose(random, behaviours);
  const isHonest = declared === undefined || declared === size;
  const isBroken = failsAt !== undefined || !isHonest;
  const isLeft = callers.every((caller) => LEAVING.includes(caller));
  const isAbandoned = isLeft && whenAbandoned === "abort";
  const mayBeLarge = Math.max(size, declared ?? 0) > maxEntryBytes;
  const isUnsure = isLeft && isBroken && (isAbandoned || mayBeLarge);
  const isStored = !isBroken && !isAbandoned && size > 0 &&
    size <= maxEntryBytes;
  return {
    ...{ bytes, result: bytes, declared, failsAt, form, callers },
    ...{ isHeld, isBroken, isStored, video: undefined },
    isFailure: isUnsure ? undefined : isBroken,
  };
}

function planGif(
  random: Random,
  { maxEntryBytes }: Caps,
  { onlyIfSmaller }: Conversion,
  wanted: number,
): PlannedDownload {
  const size = Math.max(wanted, MIN_GIF_BYTES);
  const free = maxEntryBytes - size;
  const most = onlyIfSmaller ? Math.min(free, size - 1) : free;
  const videoBytes = Math.max(
    MIN_VIDEO_BYTES,
    random.pick([
      random.integer(1, 2 * size),
      random.integer(1, Math.max(1, free)),
      free,
      free + 1,
    ]),
  );
  const gif = gifOf(size, videoBytes);
  const isStored = size <= maxEntryBytes;
  const video = !isStored ? undefined : videoBytes <= most ? "made" : "failed";
  const result = video === "made" ? videoOf(videoBytes) : gif;
  return {
    ...{ bytes: gif, result, isStored, video },
    declared: random.pick([undefined, size]),
    ...{ failsAt: undefined, isHeld: false, isBroken: false },
    isFailure: false,
    form: random.pick(["stream", "response", "bytes"] as const),
    callers: choose(random, STAYING),
  };
}

function choose(random: Random, from: readonly Behaviour[]): Behaviour[] {
  const count = random.pick([1, 1, 1, 2, 3]);
  return Array.from({ length: count }, () => random.pick(from));
}

/** A wrong length. */
function lie(random: Random, size: number): number {
  return random.pick([size + random.integer(1, 100), Math.max(0, size - 1)]);
}

/** Caps that cause evictions all the time. */
export function randomCaps(random: Random): Caps {
  const maxBytes = random.chance(20) ? 0 : random.integer(1, 60_000);
  return {
    maxBytes,
    maxEntryBytes: random.chance(3) ? maxBytes : random.integer(0, maxBytes),
    maxMemoryItems: random.integer(0, 12),
    maxMemoryBytes: random.integer(0, 30_000),
    maxMemoryItemBytes: random.integer(0, 10_000),
  };
}
