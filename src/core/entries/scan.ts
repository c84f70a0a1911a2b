import type { PairStore } from "../disk/pair_store.ts";
import { type Entry, entryOf } from "../catalog/entry.ts";
import type { KeyChanges } from "../catalog/key_changes.ts";
import { classify, datName, pairOf } from "../disk/file_names.ts";
import { type Leftover, leftoverOf, stagedLeftoverOf } from "./leftovers.ts";
import { mismatchOf } from "../disk/sidecar.ts";
import { Pacer } from "../async/pacer.ts";

/** The listeners of a scan. */
export interface ScanEvents {
  /** Called synchronously for each entry, before anything can change. */
  onEntry(entry: Entry): void;
  /** Called for files that belong to no entry. */
  onLeftover(leftover: Leftover): void;
  /** Called once with the keys of all notes. */
  onNotes?(keys: readonly string[]): void;
  /**
   * Runs a second look at files that seem to belong to no entry, while no process changes
   * names: a pair that is being replaced looks like a leftover. Without this member the
   * first look counts.
   */
  undisturbed?<T>(look: () => Promise<T>): Promise<T>;
}

/** The names of the cache's files in a directory. */
export interface Names {
  /** The keys of the .dat files. */
  readonly dats: Set<string>;
  /** The keys of the sidecars. */
  readonly jsons: Set<string>;
  /** The keys of the notes. */
  readonly notes: string[];
  /** The names of the .part files. */
  readonly staged: string[];
}

/** Lists a directory, without foreign names and without sidecars that are not files. */
export async function listNames(
  store: PairStore,
  pacer: Pacer,
): Promise<Names> {
  const names: Names = {
    dats: new Set(),
    jsons: new Set(),
    notes: [],
    staged: [],
  };
  for await (const { name, isFile } of store.list()) {
    if (pacer.due) await pacer.yield();
    const { kind, key } = classify(name);
    if (kind === "dat") names.dats.add(key);
    else if (kind === "json" && isFile) names.jsons.add(key);
    else if (kind === "note") names.notes.push(key);
    else if (kind === "staged") names.staged.push(name);
  }
  return names;
}

/**
 * Reads the whole directory, without any body, and tells entries from leftovers.
 * Gives the event loop a turn every millisecond.
 *
 * @param keyChanges The changes of this process: a pair that changes while it is
 * looked at is looked at again.
 */
export async function scan(
  store: PairStore,
  keyChanges: KeyChanges,
  events: ScanEvents,
): Promise<void> {
  const pacer = new Pacer();
  const names = await listNames(store, pacer);
  await scanNames(store, keyChanges, names, events, pacer);
}

/** Reads the sidecars of these names, and tells entries from leftovers. */
export async function scanNames(
  store: PairStore,
  keyChanges: KeyChanges,
  { dats, jsons, notes, staged }: Names,
  events: ScanEvents,
  pacer: Pacer,
  // A single time for all, so that entries with times of the future are equally recent.
  now: number = Date.now(),
): Promise<void> {
  events.onNotes?.(notes);
  const keys = new Set([...jsons, ...dats]);
  for (const key of keys) {
    if (pacer.due) await pacer.yield();
    const look = (isListed: boolean) => () =>
      scanPair(store, keyChanges, key, isListed, events, now);
    let leftover = await look(jsons.has(key))();
    // A disk fault is no sign of another process, and a second look would hide it.
    const isHalf = leftover !== undefined && leftover.error === undefined;
    if (isHalf && events.undisturbed !== undefined) {
      leftover = await events.undisturbed(look(false));
    }
    if (leftover !== undefined) events.onLeftover(leftover);
  }
  for (const name of staged) {
    if (pacer.due) await pacer.yield();
    const leftover = await stagedLeftoverOf(store, name);
    if (leftover !== undefined) events.onLeftover(leftover);
  }
}

/** Tells the entry of a key, or gives what there is that is none. */
async function scanPair(
  store: PairStore,
  keyChanges: KeyChanges,
  key: string,
  isListed: boolean,
  events: ScanEvents,
  now: number,
): Promise<Leftover | undefined> {
  const leftover = await keyChanges.look(key, async (isCurrent) => {
    const pair = await readPair(store, key, isListed, now);
    if (!isCurrent()) return undefined;
    if (!("reason" in pair)) {
      events.onEntry(pair);
      return "entry";
    }
    const names = pair.isBody ? [datName(key)] : pairOf(key);
    const leftover = await leftoverOf(store, names, pair.reason);
    return leftover && { ...leftover, ...pair.fault };
  });
  return leftover === "entry" ? undefined : leftover;
}

/** The entry of a key, or why there is none. */
async function readPair(
  store: PairStore,
  key: string,
  isListed: boolean,
  now: number,
): Promise<Entry | NoEntry> {
  try {
    const sidecar = await store.readSidecar(key, isListed);
    if (sidecar === undefined) {
      return { reason: "it has no sidecar", isBody: true };
    }
    if ("reason" in sidecar) return sidecar;
    const facts = await store.facts(datName(key));
    if (facts === undefined) return { reason: "its .dat is missing" };
    const reason = mismatchOf(sidecar, facts.size);
    return reason === undefined
      ? entryOf(sidecar, key, facts, now)
      : { reason };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { reason, fault: { error } };
  }
}

/** Why the files of a key are no entry. */
interface NoEntry {
  readonly reason: string;
  /** Whether there is no more than a body. */
  readonly isBody?: boolean;
  /** The fault of the disk, if it is to blame. */
  readonly fault?: { readonly error: unknown };
}
