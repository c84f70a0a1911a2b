import type { Deletion } from "../entries/deletion.ts";
import type { Peek } from "../entries/peek.ts";
import type { Remote } from "../remote/remote.ts";
import type { Downloads } from "./downloads.ts";

/**
 * An entry that was stored so shortly after a change by another host is dropped all the
 * same, in milliseconds: clocks of object stores count whole seconds.
 */
const GRACE_MS = 2_000;

/** Why an entry is dropped. */
const REASON = "another host has deleted or replaced it";

/** The parts of the cache that know entries. */
export interface ChangeParts {
  /** Looks at entries and changes nothing. */
  readonly peek: Peek;
  /** Deletes entries. */
  readonly deletion: Deletion;
  /** The work with the remote tier. */
  readonly remote: Remote | undefined;
}

/**
 * Drops the entry of a key that another host has deleted or replaced, as `delete()` does, and
 * detaches a download that began before. The object of the remote tier stays, unless this
 * cache may have stored it after the change with bytes of before.
 *
 * @param changedAt The time of the change, in milliseconds since the epoch.
 * @returns Whether there was an entry that is older than the change.
 */
export async function dropChanged(
  key: string,
  changedAt: number,
  downloads: Downloads,
  { peek, deletion, remote }: ChangeParts,
): Promise<boolean> {
  const isOld = (time: number) => time < changedAt + GRACE_MS;
  const download = downloads.findByKey(key);
  if (download !== undefined && isOld(download.info.startedAt)) {
    download.detach();
  }
  const entry = await peek.info(key);
  if (entry === undefined) return false;
  const startedAt = remote?.startOf(entry) ?? entry.storedAt;
  if (!isOld(startedAt)) return false;
  // A download that began before the change and was stored after it may have been uploaded.
  if (!isOld(entry.storedAt)) remote?.delete(key);
  return await deletion.deleteByKey(key, entry.url, REASON);
}
