import type { DiskTier } from "../disk_tier.ts";
import { areSame, type Entry } from "../catalog/entry.ts";
import type { DiskFile } from "../disk/disk_file.ts";
import type { SharedFile } from "../disk/open_files.ts";
import { entryOf } from "../catalog/entry.ts";

/** Shares the open file of an entry. It must be held or claimed at once. */
export function adoptEntry(
  { files, store }: DiskTier,
  entry: Entry,
  file: DiskFile,
): SharedFile {
  const { key, inode } = entry;
  const openSurely = async () => {
    const found = await store.find(key);
    if (found === undefined || !("file" in found)) return undefined;
    const now = entryOf(found.sidecar, key, found.facts);
    if (areSame(entry, now)) return found.file;
    found.file.close();
    return undefined;
  };
  return files.adopt(store.datPath(key), inode, file, openSurely);
}
