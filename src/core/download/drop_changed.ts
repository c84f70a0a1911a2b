import type { Deletion } from "../entries/deletion.ts";
import type { NoteStore } from "../notes/note_store.ts";
import type { Peek } from "../entries/peek.ts";
import type { ChangeEnd, Remote } from "../remote/remote.ts";

/** A running download, or a running check of an entry. */
interface Running {
  /** Tells when it began, in milliseconds since the epoch. */
  readonly info: { readonly startedAt: number };
  /** Keeps its body from being stored. */
  detach(): void;
}

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
  /** The notes of URLs. */
  readonly notes: NoteStore;
  /** The work with the remote tier. */
  readonly remote: Remote | undefined;
}

/**
 * Drops the entry of a key that another host has deleted or replaced, as `delete()` does, and
 * detaches a download that began before. An entry that the remote tier has as well stays; an
 * entry that another process may have stored since, and still uploads, stays for that long.
 * The object of the remote tier stays, unless this cache may have uploaded it after the
 * change with bytes of before.
 *
 * @param changedAt The time of the change, in milliseconds since the epoch.
 * @param running The download and the check of the key that run.
 */
export async function dropChanged(
  key: string,
  changedAt: number,
  running: readonly (Running | undefined)[],
  { peek, deletion, notes, remote }: ChangeParts,
): Promise<ChangeEnd> {
  // A time to come tells that the clock was set back since: the entry may be older.
  const isOld = (time: number) =>
    time < changedAt + GRACE_MS || time > Date.now() + GRACE_MS;
  for (const each of running) {
    if (each !== undefined && isOld(each.info.startedAt)) each.detach();
  }
  const since = changedAt - GRACE_MS;
  const old = async () => {
    const entry = await peek.infoOrFault(key);
    if (entry === undefined) return undefined;
    if (!isOld(remote?.startOf(entry) ?? entry.storedAt)) return undefined;
    // Another process on this directory may have made the change.
    return await remote?.isShared(entry, since) ? undefined : entry;
  };
  try {
    // Without an entry, too: handles outlive it.
    const isForgotten = await notes.remove(key, changedAt + GRACE_MS)
      .then(() => true, () => false);
    const entry = await old();
    const isUnsure = entry !== undefined && entry.storedAt >= since &&
      remote?.awaitsUpload(entry, changedAt) === true;
    if (isUnsure) {
      await remote?.undoUpload(key, isOld, since);
      return "failed";
    }
    const isDropped = entry !== undefined &&
      await deletion.deleteByKey(key, entry.url, REASON);
    // After the entry has gone, no other upload of its bytes begins.
    await remote?.undoUpload(key, isOld, since);
    if (!isForgotten) return "failed";
    if (isDropped) return "dropped";
    // A lock that was not free in time may have kept the entry.
    return entry !== undefined && await old() !== undefined ? "failed" : "none";
  } catch {
    // The disk has kept the entry, or can't tell whether there is one.
    return "failed";
  }
}
