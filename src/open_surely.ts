import type { DiskTier } from "./disk_tier.ts";
import { areSame, type Entry } from "./entry.ts";
import type { DiskFile } from "./file_system.ts";
import { entryOf } from "./recovery.ts";

/** Opens the file of an entry, if its sidecar still says what is known of it. */
export async function openSurely(
  { store }: Pick<DiskTier, "store">,
  entry: Entry,
): Promise<DiskFile | undefined> {
  const found = await store.find(entry.key);
  if (found === undefined || !("file" in found)) return undefined;
  const now = entryOf(found.sidecar, entry.key, found.facts);
  if (areSame(entry, now)) return found.file;
  found.file.close();
}
