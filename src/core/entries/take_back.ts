import { BLOCK_BYTES, inBlocks } from "../disk/blocks.ts";
import type { DiskTier } from "../disk_tier.ts";
import type { Entry } from "../catalog/entry.ts";
import { pairOf } from "../disk/file_names.ts";

/**
 * The disk has failed while the pair of a key was being replaced or removed: the
 * old one may still be there, and then is an entry as before, or half of it.
 */
export async function takeBack(
  { fs, store, catalog, orphans }: DiskTier,
  key: string,
  old: Entry | undefined,
  reason: string,
): Promise<void> {
  let bytes = old?.size;
  try {
    const facts = await fs.facts(store.datPath(key));
    const isOld = facts !== undefined && facts.inode === old?.inode;
    const isThere = isOld && await fs.exists(store.jsonPath(key));
    if (isThere) return catalog.insert(old);
    bytes = facts?.size;
  } catch {
    // A lookup will tell, when the disk does.
  }
  if (bytes === undefined) return;
  orphans.add({
    names: pairOf(key),
    bytes,
    // The sidecar may be there, too.
    occupiedBytes: inBlocks(bytes) + BLOCK_BYTES,
    mtimeMs: Date.now(),
    reason,
  });
}
