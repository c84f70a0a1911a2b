import type { DiskStore } from "../disk/pair_store.ts";
import { type Entry, isYoung } from "../catalog/entry.ts";
import { inBlocks } from "../disk/blocks.ts";
import { isLocked } from "../disk/file_lock.ts";
import type { FileFacts } from "../disk/disk_file.ts";
import type { FileSystem } from "../disk/file_system.ts";
import { mismatchOf, type StampedSidecar } from "../disk/sidecar.ts";
import { Turns } from "../async/turns.ts";

/** What a file's name says about it. */
export type NameKind = "dat" | "json" | "staged" | "foreign";

/** The last millisecond that a Date can hold (ECMA-262, time values). */
const MAX_TIME_MS = 8.64e15;

const OURS_REGEXP = /^([0-9a-f]{64})\.(?:(dat)|(json)|[0-9a-z]+\.part)$/;

/** Sorts a file by its name: ours, and then which, or foreign. */
export function classify(name: string): { kind: NameKind; key: string } {
  const match = OURS_REGEXP.exec(name);
  if (match === null) return { kind: "foreign", key: "" };
  const kind = match[2] ? "dat" : match[3] ? "json" : "staged";
  return { kind, key: match[1] ?? "" };
}

/** The names of an entry's two files, the sidecar first. */
export function pairOf(key: string): readonly string[] {
  return [`${key}.json`, `${key}.dat`];
}

/** Files that are no entry and belong to none. */
export interface Leftover {
  /** Names that go together, the sidecar first. */
  readonly names: readonly string[];
  /** Their bytes. */
  readonly bytes: number;
  /** Bytes that the files take on disk. */
  readonly occupiedBytes: number;
  /** When the youngest was last written, in milliseconds since the epoch. */
  readonly mtimeMs: number;
  /** Why they are no entry. */
  readonly reason: string;
  /** What the disk failed with when it was asked for them. */
  readonly error?: unknown;
}

/** What the scan tells as it goes. */
export interface ScanEvents {
  /** An entry was found. Called at once, so that nothing can change in between. */
  onEntry(entry: Entry): void;
  /** Files that must not stay were found. */
  onLeftover(leftover: Leftover): void;
}

/** What a sidecar's `ts` says: any number may stand there, but no other is a point in time. */
export function storedAtOf(ts: number): number {
  return Math.min(Math.max(ts * 1000, 0), MAX_TIME_MS);
}

/** Makes the index record of a pair. */
export function entryOf(
  sidecar: StampedSidecar,
  key: string,
  facts: FileFacts,
  now: number = Date.now(),
): Entry {
  const { url, mimetype, filename, ts, sha256 } = sidecar;
  const mtimeMs = facts.mtimeMs;
  return {
    key,
    url,
    mimetype,
    filename,
    size: facts.size,
    storedAt: storedAtOf(ts),
    ...(sha256 !== undefined && { sha256 }),
    inode: facts.inode,
    sidecarStamp: sidecar.stamp,
    // A clock that was set back must not make an entry immortal.
    lastAccess: Math.min(mtimeMs, now),
    mtimeMs,
    isYoung: isYoung(facts, now),
  };
}

/** The names in a directory that are ours. */
export interface Names {
  /** Keys of the bodies. */
  readonly dats: Set<string>;
  /** Keys of the sidecars. */
  readonly jsons: Set<string>;
  /** Names of staged files. */
  readonly staged: string[];
}

/** Lists a directory. Foreign names are passed over, and sidecars that are no files. */
export async function listNames(
  fs: FileSystem,
  dir: string,
  turns: Turns,
): Promise<Names> {
  const names: Names = { dats: new Set(), jsons: new Set(), staged: [] };
  for await (const { name, isFile } of fs.list(dir)) {
    if (turns.due) await turns.next();
    const { kind, key } = classify(name);
    if (kind === "dat") names.dats.add(key);
    else if (kind === "json" && isFile) names.jsons.add(key);
    else if (kind === "staged") names.staged.push(name);
  }
  return names;
}

/**
 * Reads the whole directory, without any body, and says what each file means. It
 * gives the event loop a turn every millisecond.
 */
export async function scan(
  fs: FileSystem,
  store: DiskStore,
  events: ScanEvents,
): Promise<void> {
  const turns = new Turns();
  const names = await listNames(fs, store.dir, turns);
  await scanNames(fs, store, names, events, turns);
}

/** Says what the files of these names mean. */
export async function scanNames(
  fs: FileSystem,
  store: DiskStore,
  { dats, jsons, staged }: Names,
  events: ScanEvents,
  turns: Turns,
  // One time for all, so that those from the future are equally recent.
  now: number = Date.now(),
): Promise<void> {
  for (const key of jsons) {
    if (turns.due) await turns.next();
    await scanPair(fs, store, key, events, now);
    dats.delete(key);
  }
  for (const key of dats) {
    if (turns.due) await turns.next();
    const names = [`${key}.dat`];
    const reason = "it has no sidecar";
    const leftover = await leftoverOf(fs, store, names, reason);
    if (leftover !== undefined) events.onLeftover(leftover);
  }
  for (const name of staged) {
    if (turns.due) await turns.next();
    if (store.isOwn(name) || await isLocked(fs, store.path(name))) continue;
    const reason = "nobody writes it any more";
    const leftover = await leftoverOf(fs, store, [name], reason);
    if (leftover !== undefined) events.onLeftover(leftover);
  }
}

async function scanPair(
  fs: FileSystem,
  store: DiskStore,
  key: string,
  events: ScanEvents,
  now: number,
): Promise<void> {
  let reason: string;
  let fault: { error?: unknown } = {};
  try {
    const sidecar = await store.readSidecar(key, true);
    if (sidecar === undefined) return;
    const facts = await fs.facts(store.datPath(key));
    if ("reason" in sidecar) reason = sidecar.reason;
    else if (facts === undefined) reason = "its .dat is missing";
    else {
      const mismatch = mismatchOf(sidecar, facts.size);
      if (mismatch === undefined) {
        return events.onEntry(entryOf(sidecar, key, facts, now));
      }
      reason = mismatch;
    }
  } catch (error) {
    reason = error instanceof Error ? error.message : String(error);
    fault = { error };
  }
  const leftover = await leftoverOf(fs, store, pairOf(key), reason);
  if (leftover !== undefined) events.onLeftover({ ...leftover, ...fault });
}

/** Looks at files that are no entry; undefined when there are none any more. */
export async function leftoverOf(
  fs: FileSystem,
  store: DiskStore,
  names: readonly string[],
  reason: string,
): Promise<Leftover | undefined> {
  let bytes = 0;
  let occupiedBytes = 0;
  let mtimeMs: number | undefined;
  for (const name of names) {
    const path = store.path(name);
    let facts = await fs.facts(path).catch(() => undefined);
    if (facts === undefined) {
      if (!await fs.hasName(path)) continue;
      // It came back, or is a link, which has no time here: as old as can be.
      facts = await fs.facts(path).catch(() => undefined);
    }
    bytes += facts?.size ?? 0;
    occupiedBytes += inBlocks(facts?.size ?? 0);
    mtimeMs = Math.max(mtimeMs ?? 0, facts?.mtimeMs ?? 0);
  }
  return mtimeMs === undefined
    ? undefined
    : { names, bytes, occupiedBytes, mtimeMs, reason };
}
