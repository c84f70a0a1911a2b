/** What goes wrong on purpose, so that what must not can be told from it. */
import {
  DownloadTimeoutError,
  HttpStatusError,
  IncompleteBodyError,
  MediaCacheError,
} from "../../mod.ts";

/** How a download is broken: by its status, half-way, too early, for good, for a while, or before it begins. */
export type Fault = "status" | "cut" | "short" | "silent" | "slow" | "refused";

/** All of them. */
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

/** How many downloads of a URL are remembered: callers may learn late of one that failed. */
const REMEMBERED = 3;

/** How long the effects of what was done to the disk may be felt, in milliseconds. */
const AFTERMATH_MS = 2_000;

/** Remembers what was broken, and says whether that explains an error. */
export class Faults {
  /** How many downloads were broken in each way. */
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

  /** A download begins. */
  note(id: number, fault: Fault | undefined): void {
    if (fault !== undefined) this.counts[fault]++;
    const before = this.#downloads.get(id) ?? [];
    this.#downloads.set(id, [fault, ...before].slice(0, REMEMBERED));
  }

  /** Something is done to the directory, or to the disk, until the result is called. */
  trouble(): () => void {
    this.#isTroubled = true;
    return () => {
      this.#isTroubled = false;
      this.#troubledUntil = performance.now() + AFTERMATH_MS;
    };
  }

  /** Whether the disk was in order from a moment till now. */
  wasCalm(since: number): boolean {
    return !this.#isTroubled && this.#troubledUntil < since;
  }

  /** Whether an error is no wonder, to a caller who has been there since a moment. */
  explains(id: number, error: unknown, since: number): boolean {
    if (error instanceof Planned) return true;
    if (!this.wasCalm(since) && error instanceof MediaCacheError) return true;
    const faults = this.#downloads.get(id) ?? [];
    if (error instanceof HttpStatusError) return faults.includes("status");
    if (error instanceof IncompleteBodyError) return faults.includes("short");
    if (error instanceof DownloadTimeoutError) return faults.includes("silent");
    // What fetch() throws when a connection breaks.
    return error instanceof TypeError && faults.includes("cut");
  }
}
