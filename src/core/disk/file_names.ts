/*
 * Each kind of file in `cacheDir`. All lie flat there, but for the lent files. KEY is
 * the SHA-256 of the URL in hexadecimal, UNIQUE some letters and digits that name one
 * file of one process, LENDER a UUID, N a number. Other names are foreign and never
 * touched.
 *
 * KEY.dat: the body of an entry; its mtime is the last access.
 *   Written as a .part file, and renamed by PairStore.commit(); renamed once more by
 *   Rekeying.
 *   Removed by eviction, deletion and replacement, after its sidecar; without a
 *   sidecar by the LeftoverSweeper when it is 10 minutes old.
 *   Lost: the entry is a miss.
 * KEY.json: the sidecar of an entry, see sidecar.ts.
 *   Written as a .part file, and renamed by PairStore.commit(), behind the .dat.
 *   Removed as the .dat, and before it.
 *   Lost: the entry is a miss.
 * KEY.note: the handles of uploads, and when the origin confirmed the bytes, see
 *   notes/note.ts. Lies beside the entry of a URL, or without an entry.
 *   Written as a .part file, and renamed by NoteStore; renamed once more by Rekeying.
 *   Removed by delete(), clear(), put({ replace: true }) and a revalidation that stores
 *   other bytes, here or on another host; by verify({ fix: true }) if it can't be read;
 *   by NoteStore when it says nothing any more, and the oldest of more than 10,000
 *   without an entry.
 *   Lost: the media is uploaded or revalidated once more.
 * KEY.download.part: the body of a download, which other processes may follow.
 *   Written and locked by the process that downloads.
 *   Removed by commit() (renamed to KEY.dat), by its writer when it stores nothing,
 *   by the next download of the URL when its lock is free, by a process that has
 *   waited for it in vain, by delete(), clear() and put({ replace: true }) of another
 *   process (this process renames it to KEY.UNIQUE.part), else by the LeftoverSweeper.
 *   Lost: the download is not stored; its readers go on.
 * KEY.description.part: type, name and length of that body for the followers, or
 *   that it is being converted; at the end the sidecar to be, or why the rest of the
 *   body never comes.
 *   Written and removed as KEY.download.part, which it lies beside; renamed to
 *   KEY.json.
 *   Lost: followers wait for the end of the download.
 * KEY.UNIQUE.part: any other file while it is written: the body of a put() or of a
 *   download that no other process follows, a video,
 *   a GIF copied or linked for ffmpeg, a sidecar, the next list of changes, a probe.
 *   Written by one process, and locked by it if the file lives for long.
 *   Removed by its writer, else by the LeftoverSweeper: as all .part files when its
 *   lock has been free for 5 seconds since its last write.
 *   Lost: what was being written is not stored.
 * .media-cache.changes: the lock of the directory, and the keys changed last.
 *   Written by each process that changes an entry (ChangeLog).
 *   Removed by nobody; replaced by a shorter list when it is long.
 *   Lost: other processes compare the whole directory once more.
 * .media-cache.index: the facts of all sidecars, to open faster.
 *   Written as .media-cache.index.new, and renamed by IndexFile.
 *   Removed by clear(), by Rekeying, and when the directory holds too few entries.
 *   Lost: the next start reads all sidecars.
 * .media-cache.index.new: the next index.
 *   Written and locked by one process.
 *   Removed by its writer, or by the next writer when its lock is free.
 *   Lost: the index stays as it was.
 * .media-cache.lent/LENDER/FILE: a hard link to a body that a Media may still read,
 *   whatever becomes of the entry; or a link to a body, or a copy, that `media.file()`
 *   has given to a user under the file name of the Media. If LENDER has a file of that
 *   name already: .media-cache.lent/LENDER.N/FILE.
 *   Written by one cache, which locks the folder LENDER (LentFolder).
 *   Removed by that cache, at close() at the latest; else with the folders LENDER and
 *   LENDER.N, by the LeftoverSweeper when the lock of LENDER is free.
 *   Lost: the Media reads the KEY.dat, if that still is the same file; the path that a
 *   user was given leads nowhere.
 *
 * So only the loss of a .dat or .json loses an entry.
 */

/** The lock of the directory, and the list of changes in it. */
export const CHANGES_NAME = ".media-cache.changes";

/** The index. */
export const INDEX_NAME = ".media-cache.index";

/**
 * The next index. Its name is always the same, so that a killed process leaves at
 * most one such file, which the next writer takes over.
 */
export const NEW_INDEX_NAME = ".media-cache.index.new";

/** The folder of the lent files. */
export const LENT_NAME = ".media-cache.lent";

const LENDER_REGEXP =
  /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:\.\d+)?$/;

/** A new name for the folder of a lender. */
export function lenderName(): string {
  return crypto.randomUUID();
}

/** The name of a further folder of a lender, for a file whose name is taken. */
export function besideName(lender: string, n: number): string {
  return `${lender}.${n}`;
}

/** The lender that a folder belongs to; undefined for a foreign name. */
export function lenderOf(name: string): string | undefined {
  return LENDER_REGEXP.exec(name)?.[1];
}

/** The end of the names of files that are being written, or wait for their removal. */
export const PART = ".part";

/** The kind of a file, as its name tells it. */
export type NameKind = "dat" | "json" | "note" | "staged" | "foreign";

const OURS_REGEXP = /^([0-9a-f]{64})\.(?:(dat)|(json)|(note)|[0-9a-z]+\.part)$/;

/** Tells the kind of a file and its key; the key of a foreign file is empty. */
export function classify(name: string): { kind: NameKind; key: string } {
  const match = OURS_REGEXP.exec(name);
  if (match === null) return { kind: "foreign", key: "" };
  const kind = match[2]
    ? "dat"
    : match[3]
    ? "json"
    : match[4]
    ? "note"
    : "staged";
  return { kind, key: match[1] ?? "" };
}

/** The end of the name of an entry's body, behind the key. */
export const DAT_END = ".dat";

/** The end of the name of an entry's sidecar, behind the key. */
export const JSON_END = ".json";

/** The name of an entry's body. */
export function datName(key: string): string {
  return key + DAT_END;
}

/** The name of an entry's sidecar. */
export function jsonName(key: string): string {
  return key + JSON_END;
}

/** The name of the note of a URL. */
export function noteName(key: string): string {
  return `${key}.note`;
}

/** The names of an entry's two files, the sidecar first. */
export function pairOf(key: string): readonly string[] {
  return [jsonName(key), datName(key)];
}

/** The name of a body while it is downloaded, the same in all processes. */
export function downloadName(key: string): string {
  return `${key}.download${PART}`;
}

/** The name of the description beside such a body, the same in all processes. */
export function descriptionName(key: string): string {
  return `${key}.description${PART}`;
}
