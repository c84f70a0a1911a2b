import type { PairStore } from "../disk/pair_store.ts";
import { type Entry, entryOf } from "../catalog/entry.ts";
import type { KeyChanges } from "../catalog/key_changes.ts";
import { classify, datName, pairOf } from "../disk/file_names.ts";
import { type Leftover, leftoverOf } from "./leftovers.ts";
import { mismatchOf } from "../disk/sidecar.ts";
import { Pacer } from "../async/pacer.ts";

/** What a scan tells as it goes, and asks for. */
export interface ScanEvents {
  /** An entry was found. Called at once, so that nothing can change in between. */
  onEntry(entry: Entry): void;
  /** Files that must not stay were found. */
  onLeftover(leftover: Leftover): void;
  /**
   * Runs a second look at files that seem to be no entry, while no process changes
   * names: a pair that is being replaced looks like a leftover. Without it the first
   * look is told.
   */
  undisturbed?<T>(look: () => Promise<T>): Promise<T>;
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
  store: PairStore,
  pacer: Pacer,
): Promise<Names> {
  const names: Names = { dats: new Set(), jsons: new Set(), staged: [] };
  for await (const { name, isFile } of store.list()) {
    if (pacer.due) await pacer.yield();
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

/** Says what the files of these names mean. */
export async function scanNames(
  store: PairStore,
  keyChanges: KeyChanges,
  { dats, jsons, staged }: Names,
  events: ScanEvents,
  pacer: Pacer,
  // One time for all, so that those from the future are equally recent.
  now: number = Date.now(),
): Promise<void> {
  const keys = new Set([...jsons, ...dats]);
  for (const key of keys) {
    if (pacer.due) await pacer.yield();
    const look = (isListed: boolean) => () =>
      scanPair(store, keyChanges, key, isListed, events, now);
    let leftover = await look(jsons.has(key))();
    if (leftover !== undefined && events.undisturbed !== undefined) {
      leftover = await events.undisturbed(look(false));
    }
    if (leftover !== undefined) events.onLeftover(leftover);
  }
  for (const name of staged) {
    if (pacer.due) await pacer.yield();
    if (store.isOwn(name) || await store.isLocked(name)) continue;
    const reason = "nobody writes it any more";
    const leftover = await leftoverOf(store, [name], reason);
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
