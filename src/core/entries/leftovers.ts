import { inBlocks } from "../disk/blocks.ts";
import type { PairStore } from "../disk/pair_store.ts";

/** How long a leftover may belong to a write that is still going on elsewhere. */
export const GRACE_MS = 600_000;

/** Files that are no entry and belong to none. */
export interface Leftover {
  /** Names that go together, the sidecar first. */
  readonly names: readonly string[];
  /** Their bytes. */
  readonly bytes: number;
  /** Bytes that the files take on disk. */
  readonly occupiedBytes: number;
  /** When the youngest was last written, in milliseconds since the epoch. */
  readonly mtimeMs: number;
  /** Why they are no entry. */
  readonly reason: string;
  /** What the disk failed with when it was asked for them. */
  readonly error?: unknown;
}

/** The leftovers that are known, for those who find, use or remove them. */
export interface Leftovers {
  /** Takes note of a leftover, in place of any of its first name. */
  add(leftover: Leftover): void;
  /** Forgets files of these names: part of an entry by now, or gone. */
  forget(names: readonly string[]): void;
  /** Whether a leftover is still within its grace. */
  isYoung(leftover: Leftover, now: number): boolean;
  /** Dates a leftover from the future as of when it was first seen. */
  date(leftover: Leftover): Promise<void>;
  /** Whether leftovers are part of an entry by now, or being written again. */
  areNeeded(names: readonly string[]): Promise<boolean>;
}

/** Looks at files that are no entry; undefined when there are none any more. */
export async function leftoverOf(
  store: PairStore,
  names: readonly string[],
  reason: string,
): Promise<Leftover | undefined> {
  let bytes = 0;
  let occupiedBytes = 0;
  let mtimeMs: number | undefined;
  for (const name of names) {
    let facts = await store.facts(name).catch(() => undefined);
    if (facts === undefined) {
      if (!await store.hasName(name)) continue;
      // It came back, or is a link, which has no time here: as old as can be.
      facts = await store.facts(name).catch(() => undefined);
    }
    bytes += facts?.size ?? 0;
    occupiedBytes += inBlocks(facts?.size ?? 0);
    mtimeMs = Math.max(mtimeMs ?? 0, facts?.mtimeMs ?? 0);
  }
  return mtimeMs === undefined
    ? undefined
    : { names, bytes, occupiedBytes, mtimeMs, reason };
}
