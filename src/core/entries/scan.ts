import type { PairStore } from "../disk/pair_store.ts";
import { type Entry, entryOf } from "../catalog/entry.ts";
import { classify, datName, pairOf } from "../disk/file_names.ts";
import { type Leftover, leftoverOf } from "./leftovers.ts";
import { mismatchOf } from "../disk/sidecar.ts";
import { Pacer } from "../async/pacer.ts";

/** What the scan tells as it goes. */
export interface ScanEvents {
  /** An entry was found. Called at once, so that nothing can change in between. */
  onEntry(entry: Entry): void;
  /** Files that must not stay were found. */
  onLeftover(leftover: Leftover): void;
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
 */
export async function scan(
  store: PairStore,
  events: ScanEvents,
): Promise<void> {
  const pacer = new Pacer();
  const names = await listNames(store, pacer);
  await scanNames(store, names, events, pacer);
}

/** Says what the files of these names mean. */
export async function scanNames(
  store: PairStore,
  { dats, jsons, staged }: Names,
  events: ScanEvents,
  pacer: Pacer,
  // One time for all, so that those from the future are equally recent.
  now: number = Date.now(),
): Promise<void> {
  for (const key of jsons) {
    if (pacer.due) await pacer.yield();
    await scanPair(store, key, events, now);
    dats.delete(key);
  }
  for (const key of dats) {
    if (pacer.due) await pacer.yield();
    const names = [datName(key)];
    const reason = "it has no sidecar";
    const leftover = await leftoverOf(store, names, reason);
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

async function scanPair(
  store: PairStore,
  key: string,
  events: ScanEvents,
  now: number,
): Promise<void> {
  let reason: string;
  let fault: { error?: unknown } = {};
  try {
    const sidecar = await store.readSidecar(key, true);
    if (sidecar === undefined) return;
    const facts = await store.facts(datName(key));
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
  const leftover = await leftoverOf(store, pairOf(key), reason);
  if (leftover !== undefined) events.onLeftover({ ...leftover, ...fault });
}
