import { inBlocks } from "../disk/blocks.ts";
import type { PairStore } from "../disk/pair_store.ts";
import { STAGED_GRACE_MS } from "../disk/staged_file.ts";

/**
 * Halves of a pair stay for this time (ms), since the Python original may be writing
 * them, and .part files whose lock can't be told.
 */
export const GRACE_MS = 600_000;

/** Files that belong to no entry. */
export interface Leftover {
  /** The names that go together, the sidecar first. */
  readonly names: readonly string[];
  /** The bytes of all files. */
  readonly bytes: number;
  /** The bytes that the files take on disk, in whole blocks. */
  readonly occupiedBytes: number;
  /** The mtime of the youngest file, in milliseconds since the epoch. */
  readonly mtimeMs: number;
  /** How long the files stay (ms): another process may still be writing them. */
  readonly graceMs: number;
  /** Why the files are no entry. */
  readonly reason: string;
  /** The disk error at the look for the entry, if there was one. */
  readonly error?: unknown;
}

/** The known leftovers. */
export interface Leftovers {
  /** The number of leftovers. */
  readonly count: number;
  /** Whether there are .part files that will be gone within seconds. */
  readonly hasPassing: boolean;
  /** Notes a leftover, in place of any with the same first name. */
  add(leftover: Leftover): void;
  /** Forgets files of these names, which are part of an entry by now, or removed. */
  forget(names: readonly string[]): void;
  /** Whether a leftover is within its grace at `now` (ms since the epoch). */
  isYoung(leftover: Leftover, now: number): boolean;
  /** Sets a time of the future to the time when the leftover was first seen. */
  date(leftover: Leftover): Promise<void>;
  /** Whether a file of these names is part of an entry by now, or being written again. */
  areNeeded(names: readonly string[]): Promise<boolean>;
}

/**
 * Looks at a .part file; undefined when it is gone, this cache's own, or locked by the
 * process that writes it.
 */
export async function stagedLeftoverOf(
  store: PairStore,
  name: string,
): Promise<Leftover | undefined> {
  if (store.isOwn(name)) return undefined;
  const names = [name];
  const reason = "nobody writes it any more";
  const state = await store.unlocked(name).catch(() => "unknown" as const);
  if (state === "unknown") return await leftoverOf(store, names, reason);
  if (state === undefined) return undefined;
  const { size: bytes, mtimeMs } = state;
  const occupiedBytes = inBlocks(bytes);
  const graceMs = STAGED_GRACE_MS;
  return { names, bytes, occupiedBytes, mtimeMs, graceMs, reason };
}

/** Looks at files that belong to no entry; undefined when all of them are gone. */
export async function leftoverOf(
  store: PairStore,
  names: readonly string[],
  reason: string,
): Promise<Leftover | undefined> {
  let bytes = 0;
  let occupiedBytes = 0;
  let mtimeMs: number | undefined;
  for (const name of names) {
    const look = () =>
      Promise.try(() => store.facts(name)).catch(() => undefined);
    let facts = await look();
    if (facts === undefined) {
      if (!await store.hasName(name)) continue;
      // The file has come back, or the name is a link's, which counts as old as can be.
      facts = await look();
    }
    bytes += facts?.size ?? 0;
    occupiedBytes += inBlocks(facts?.size ?? 0);
    mtimeMs = Math.max(mtimeMs ?? 0, facts?.mtimeMs ?? 0);
  }
  return mtimeMs === undefined
    ? undefined
    : { names, bytes, occupiedBytes, mtimeMs, graceMs: GRACE_MS, reason };
}
