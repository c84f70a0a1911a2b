/** Faults made on purpose, so that other faults can be told from them. */
import {
  DownloadTimeoutError,
  HttpStatusError,
  IncompleteBodyError,
  MediaCacheError,
} from "../../mod.ts";

/**
 * The ways to break a download: by its status, half-way, too early, for good,
 * for a while, or before it begins.
 */
export type Fault = "status" | "cut" | "short" | "silent" | "slow" | "refused";

/** Every way. */
export const FAULTS: readonly Fault[] = [
  "status",
  "cut",
  "short",
  "silent",
  "slow",
  "refused",
];

/** Errors that callers cause on purpose. */
export class Planned extends Error {}

/**
 * The number of remembered downloads of a URL: callers may learn late of a
 * failed one.
 */
const REMEMBERED = 3;

/** The time for which the effects of a disk fault may last, in milliseconds. */
const AFTERMATH_MS = 2_000;

/** Remembers the faults, and decides whether they explain an error. */
export class Faults {
  /** The number of downloads broken in each way. */
  readonly counts: Record<Fault, number> = {
    status: 0,
    cut: 0,
    short: 0,
    silent: 0,
    slow: 0,
    refused: 0,
  };
  readonly #downloads = new Map<number, (Fault | undefined)[]>();
  #troubledUntil = -Infinity;
  #isTroubled = false;

  /** Records the start of a download. */
  note(id: number, fault: Fault | undefined): void {
    if (fault !== undefined) this.counts[fault]++;
    const before = this.#downloads.get(id) ?? [];
    this.#downloads.set(id, [fault, ...before].slice(0, REMEMBERED));
  }

  /**
   * Records a disturbance of the directory or the disk, until the result is
   * called.
   */
  trouble(): () => void {
    this.#isTroubled = true;
    return () => {
      this.#isTroubled = false;
      this.#troubledUntil = performance.now() + AFTERMATH_MS;
    };
  }

  /** Whether the disk was in order from a moment until now. */
  wasCalm(since: number): boolean {
    return !this.#isTroubled && this.#troubledUntil < since;
  }

  /** Whether a fault explains an error of a caller that began at a moment. */
  explains(id: number, error: unknown, since: number): boolean {
    if (error instanceof Planned) return true;
    if (!this.wasCalm(since) && error instanceof MediaCacheError) return true;
    const faults = this.#downloads.get(id) ?? [];
    if (error instanceof HttpStatusError) return faults.includes("status");
    if (error instanceof IncompleteBodyError) return faults.includes("short");
    if (error instanceof DownloadTimeoutError) return faults.includes("silent");
    // The errors of fetch() when a connection breaks.
    return error instanceof TypeError && faults.includes("cut");
  }
}
