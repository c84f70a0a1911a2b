import { inBlocks } from "../disk/blocks.ts";
import type { DiskStore } from "../disk/pair_store.ts";
import type { FileSystem } from "../disk/file_system.ts";

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

/** Looks at files that are no entry; undefined when there are none any more. */
export async function leftoverOf(
  fs: FileSystem,
  store: DiskStore,
  names: readonly string[],
  reason: string,
): Promise<Leftover | undefined> {
  let bytes = 0;
  let occupiedBytes = 0;
  let mtimeMs: number | undefined;
  for (const name of names) {
    const path = store.path(name);
    let facts = await fs.facts(path).catch(() => undefined);
    if (facts === undefined) {
      if (!await fs.hasName(path)) continue;
      // It came back, or is a link, which has no time here: as old as can be.
      facts = await fs.facts(path).catch(() => undefined);
    }
    bytes += facts?.size ?? 0;
    occupiedBytes += inBlocks(facts?.size ?? 0);
    mtimeMs = Math.max(mtimeMs ?? 0, facts?.mtimeMs ?? 0);
  }
  return mtimeMs === undefined
    ? undefined
    : { names, bytes, occupiedBytes, mtimeMs, reason };
}
