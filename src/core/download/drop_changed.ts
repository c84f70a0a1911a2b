import type { RemoteChange } from "../api/remote_tier.ts";
import type { Deletion } from "../entries/deletion.ts";
import type { Peek } from "../entries/peek.ts";
import type { Downloads } from "./downloads.ts";

/**
 * An entry that was stored so shortly after a change by another host is dropped all the
 * same, in milliseconds: clocks of object stores count whole seconds.
 */
const GRACE_MS = 2_000;

/** Why an entry is dropped. */
const REASON = "another host has deleted or replaced it";

/**
 * Drops the entry of a key that another host has deleted or replaced, as `delete()` does, and
 * detaches a download that began before. The object of the remote tier stays.
 *
 * @returns Whether there was an entry that is older than the change.
 */
export async function dropChanged(
  { key, ageMs }: RemoteChange,
  downloads: Downloads,
  { peek, deletion }: { readonly peek: Peek; readonly deletion: Deletion },
): Promise<boolean> {
  const isOld = (sinceMs: number) => Date.now() - sinceMs > ageMs - GRACE_MS;
  const download = downloads.findByKey(key);
  if (download !== undefined && isOld(download.info.startedAt)) {
    download.detach();
  }
  const entry = await peek.info(key);
  if (entry === undefined || !isOld(entry.storedAt)) return false;
  return await deletion.deleteByKey(key, entry.url, REASON);
}
