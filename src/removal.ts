import type { DiskTier } from "./disk_tier.ts";

/** Removes an entry, be it known or not; false when there was none. Under the lock. */
export async function removeEntry(
  { writes, files, store, catalog }: DiskTier,
  url: string,
  key: string,
): Promise<boolean> {
  await writes.announceRemoval(key);
  await files.rescue(store.datPath(key));
  catalog.forget(url);
  try {
    return await store.remove(key);
  } finally {
    // A lookup may have found it just before it went.
    catalog.forget(url);
  }
}
