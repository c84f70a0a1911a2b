import type { DiskTier } from "../disk_tier.ts";
import { takeBack } from "./take_back.ts";

/** How an entry is removed. */
export interface Removal {
  /** Why what the disk does not remove is no entry. */
  readonly failure: string;
  /** Asked at the last moment. */
  readonly isWanted?: () => boolean;
}

/**
 * Removes an entry, be it known or not. Under the lock.
 *
 * @returns False when there was none, or when it is not wanted any more.
 * @throws The file system's error; what is left is an entry still if it is whole.
 */
export async function removeEntry(
  tier: DiskTier,
  url: string,
  key: string,
  { failure, isWanted = () => true }: Removal,
): Promise<boolean> {
  const { writes, files, store, catalog } = tier;
  await writes.announceRemoval(key);
  await files.rescue(store.datPath(key));
  if (!isWanted()) return false;
  const known = catalog.peek(url);
  catalog.forget(url);
  try {
    const removed = await store.remove(key);
    // A lookup may have found it just before it went.
    catalog.forget(url);
    return removed;
  } catch (error) {
    catalog.forget(url);
    await takeBack(tier, key, known, failure);
    throw error;
  }
}
