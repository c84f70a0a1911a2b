/*
 * When stored bytes are served, and when the origin is asked about them. Pure: all times
 * are given, in milliseconds since the epoch.
 */
import { MAX_SKEW_MS } from "../async/clock.ts";

/** The longest time until the next check after one that has failed, in milliseconds. */
const MAX_DEFER_MS = 30_000;

/** The times that tell how old the bytes of an entry are. */
export interface FreshnessTimes {
  /** When the bytes were stored; 0 where unknown. */
  readonly storedAt: number;
  /** When the origin was asked last, and has confirmed them. */
  readonly validatedAt: number | undefined;
  /** When the origin was asked last, and the check has failed. */
  readonly failedAt: number | undefined;
}

/** The ages that a caller accepts. */
export interface FreshnessLimits {
  /** The age from which bytes are stale, in milliseconds. */
  readonly maxAgeMs: number;
  /** For how long after that they are served while the origin is asked, in milliseconds. */
  readonly staleWhileRevalidateMs: number;
}

/** The judgement on stored bytes. */
export type Freshness =
  /** Young enough: served. */
  | "fresh"
  /** Stale, but a check has failed a short time ago: served. */
  | "deferred"
  /** Stale: served, and checked in the background. */
  | "usable"
  /** Stale: checked first. */
  | "expired";

/**
 * Judges stored bytes.
 *
 * @param now The present time.
 */
export function freshnessOf(
  times: FreshnessTimes,
  { maxAgeMs, staleWhileRevalidateMs }: FreshnessLimits,
  now: number,
): Freshness {
  if (maxAgeMs === Infinity) return "fresh";
  const ageMs = ageOf(times, maxAgeMs, now);
  if (ageMs < maxAgeMs) return "fresh";
  const { failedAt } = times;
  const deferMs = Math.min(maxAgeMs, MAX_DEFER_MS);
  // A failure of the future is one before the clock was set back.
  const isDeferred = failedAt !== undefined && failedAt <= now &&
    now - failedAt < deferMs;
  if (isDeferred) return "deferred";
  const isUsable = staleWhileRevalidateMs === Infinity ||
    ageMs < maxAgeMs + staleWhileRevalidateMs;
  return isUsable ? "usable" : "expired";
}

/**
 * The age of bytes: since they were confirmed, or else stored. A time of the future comes
 * from a wrong clock, and would keep them fresh until then: it does not count. Clocks that
 * differ a little are allowed for, by no more than `maxAgeMs`.
 */
function ageOf(
  { storedAt, validatedAt = 0 }: FreshnessTimes,
  maxAgeMs: number,
  now: number,
): number {
  const latest = now + Math.min(MAX_SKEW_MS, maxAgeMs);
  const known = [storedAt, validatedAt]
    .filter((time) => time > 0 && time <= latest);
  return Math.max(0, now - Math.max(...known, -Infinity));
}
