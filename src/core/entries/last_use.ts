import type { Catalog } from "../catalog/catalog.ts";
import { datName } from "../disk/file_names.ts";
import type { DiskErrors } from "../reporting/disk_errors.ts";
import type { Entry } from "../catalog/entry.ts";
import { areSameState } from "../disk/file_identity.ts";
import type { PairStore } from "../disk/pair_store.ts";

/** What noting a use works on. */
export interface LastUseParts {
  /** The files of the directory. */
  readonly store: PairStore;
  /** What is known of the entries. */
  readonly catalog: Catalog;
  /** Where failures go. */
  readonly errors: DiskErrors;
}

/** Sets the mtime of an entry's body to its last use, unless another process used it later. */
export async function writeLastUse(
  { store, catalog, errors }: LastUseParts,
  entry: Entry,
  timeMs: number,
): Promise<void> {
  if (catalog.peek(entry.url) !== entry) return;
  try {
    const facts = await store.facts(datName(entry.key));
    // The body is gone, or a link by now, whose target is not ours.
    if (facts === undefined) return;
    const isKnown = areSameState(facts, entry);
    const isLater = facts.mtimeMs > timeMs && facts.mtimeMs <= Date.now();
    if (!isKnown && isLater) return;
    // Where the body may be another's by now, the next lookup will tell.
    if (await store.touch(entry.key, timeMs) && isKnown) {
      entry.mtimeMs = timeMs;
    }
  } catch (error) {
    errors.report("note a use", error);
  }
}
