import type { Catalog } from "../catalog/catalog.ts";
import type { DiskErrors } from "../reporting/disk_errors.ts";
import type { Entry } from "../catalog/entry.ts";
import { areSameState } from "../disk/file_identity.ts";
import type { PairStore } from "../disk/pair_store.ts";

/** The parts of the cache that {@linkcode writeLastUse} works on. */
export interface LastUseParts {
  /** The files of the directory. */
  readonly store: PairStore;
  /** The known entries. */
  readonly catalog: Catalog;
  /** Counts and reports disk errors. */
  readonly errors: DiskErrors;
}

/**
 * Sets the mtime of an entry's .dat to its last use, unless another process used the
 * entry later.
 *
 * @param timeMs The last use, in milliseconds since the epoch.
 */
export async function writeLastUse(
  { store, catalog, errors }: LastUseParts,
  entry: Entry,
  timeMs: number,
): Promise<void> {
  if (catalog.peek(entry.url) !== entry) return;
  try {
    const facts = await store.bodyFacts(entry.key);
    // The .dat is gone, or the name is a link's by now, whose target is foreign.
    if (facts === undefined) return;
    const isKnown = areSameState(facts, entry);
    const isLater = facts.mtimeMs > timeMs && facts.mtimeMs <= Date.now();
    if (!isKnown && isLater) return;
    // An unknown file may be a replacement: the next lookup will see.
    if (await store.touch(entry.key, timeMs) && isKnown) {
      entry.mtimeMs = timeMs;
    }
  } catch (error) {
    errors.report("note a use", error);
  }
}
