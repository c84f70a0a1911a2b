import type { News } from "../sharing/change_log.ts";
import type { DiskTier } from "../disk_tier.ts";
import { areSame, type Entry } from "../catalog/entry.ts";
import { entryOf } from "../catalog/entry.ts";
import type { Leftover } from "../entries/leftovers.ts";
import { listNames, scan, scanNames } from "./scan.ts";
import { pairOf } from "../disk/file_names.ts";
import { mismatchOf } from "../disk/sidecar.ts";
import type { ReportFault } from "../reporting/disk_errors.ts";
import { Turns } from "../async/turns.ts";

/** What the catalog must know of the directory. */
type Parts = Omit<DiskTier, "writes">;

/** Brings what is known of the entries up to what other processes made of them. */
export class DirectoryReconciler {
  readonly #parts: () => Parts;

  /** Looks at nothing yet; `parts` are there when it does. */
  constructor(parts: () => Parts) {
    this.#parts = parts;
  }

  /** See {@linkcode Reconciler.refresh}. */
  async refresh(
    key: string,
    report: ReportFault = this.#count,
  ): Promise<void> {
    const { catalog, orphans } = this.#parts();
    const known = catalog.byKey(key);
    try {
      const entry = await this.#entry(key);
      if (entry === undefined) return this.#gone(key, known);
      orphans.forget(pairOf(key));
      if (known !== undefined && areSame(known, entry)) {
        catalog.seen(known, entry);
      } else catalog.found(entry);
    } catch (error) {
      report("look at an entry", error);
    }
  }

  /** See {@linkcode Reconciler.refreshAll}. */
  async refreshAll(report: ReportFault = this.#count): Promise<void> {
    const { catalog, hydrated } = this.#parts();
    const turns = new Turns();
    try {
      await hydrated();
      await catalog.sort(turns, () => this.#refreshAll(turns, report));
    } catch (error) {
      report("list the directory", error);
    }
  }

  /**
   * Compares the entries that an index told of with the directory. Most are as
   * they were, which takes no look into a sidecar to see.
   *
   * @param now When the index was read; uses after that, by a wrong clock, count
   * as then.
   * @param alone Runs a task while nothing is deleted here.
   * @param onLeftover Told of files that are no entry.
   */
  async compare(
    turns: Turns,
    now: number,
    alone: <T>(task: () => Promise<T>) => Promise<T>,
    onLeftover: (leftover: Leftover) => void,
  ): Promise<void> {
    const { fs, store, catalog } = this.#parts();
    const [entries, names] = await alone(async () => {
      return [catalog.list(), await listNames(fs, store.dir, turns)] as const;
    });
    for (const entry of entries) {
      if (turns.due) await turns.next();
      const { key } = entry;
      const isThere = names.dats.has(key) && names.jsons.has(key);
      if (!isThere) await this.refresh(key);
      else if (await this.#isWhole(entry, now)) {
        names.dats.delete(key);
        names.jsons.delete(key);
      }
    }
    const onEntry = (entry: Entry) => catalog.discover(entry);
    const events = { onEntry, onLeftover };
    const scan = () => scanNames(fs, store, names, events, turns, now);
    await alone(() => catalog.whileScanning(scan));
  }

  /** See {@linkcode Reconciler.doubt}. */
  doubt(news: News): void {
    const { catalog } = this.#parts();
    if (news === "unknown") return catalog.memory.clear();
    for (const key of news) {
      const known = catalog.byKey(key);
      if (known !== undefined) catalog.memory.delete(known.url);
    }
  }

  /** Whether the files of an entry are a whole pair, be it another by now. */
  async #isWhole(entry: Entry, now: number): Promise<boolean> {
    const { fs, store, catalog, errors } = this.#parts();
    const { url, key, inode, size, sidecarStamp } = entry;
    try {
      const facts = await fs.facts(store.datPath(key));
      const isSame = facts?.inode === inode && facts.size === size &&
        await store.sidecarStamp(key) === sidecarStamp;
      if (isSame && facts.mtimeMs === entry.mtimeMs) return true;
      const fresh = isSame ? entry : await this.#entry(key, now);
      if (catalog.peek(url) !== entry) return true;
      if (fresh === undefined) {
        this.#gone(key, entry);
        return false;
      }
      if (isSame) catalog.redate(entry, facts.mtimeMs, now);
      else catalog.found(fresh);
    } catch (error) {
      errors.report("look at an entry", error);
    }
    return true;
  }

  async #refreshAll(turns: Turns, report: ReportFault): Promise<void> {
    const { fs, store, catalog, orphans } = this.#parts();
    const before = catalog.list();
    const seen = new Set<string>();
    const events = {
      onEntry: (entry: Entry) => {
        seen.add(entry.key);
        if (catalog.discover(entry)) return;
        const known = catalog.peek(entry.url);
        if (known !== undefined && areSame(known, entry)) {
          catalog.seen(known, entry);
        } else seen.delete(entry.key);
      },
      onLeftover: (leftover: Leftover) => orphans.add(leftover),
    };
    await catalog.whileScanning(() => scan(fs, store, events));
    for (const { key } of before) {
      if (!seen.has(key)) await this.refresh(key, report);
      if (turns.due) await turns.next();
    }
  }

  readonly #count: ReportFault = (operation, error) =>
    this.#parts().errors.report(operation, error);

  async #entry(key: string, now?: number): Promise<Entry | undefined> {
    const { fs, store } = this.#parts();
    const sidecar = await store.readSidecar(key);
    if (sidecar === undefined || "reason" in sidecar) return undefined;
    const facts = await fs.facts(store.datPath(key));
    if (facts === undefined || mismatchOf(sidecar, facts.size)) {
      return undefined;
    }
    return entryOf(sidecar, key, facts, now);
  }

  #gone(key: string, known: Entry | undefined): void {
    const { catalog, hub } = this.#parts();
    if (known === undefined) return catalog.forgetPending(key);
    const { url } = known;
    catalog.forget(url);
    const reason = "another process removed it";
    hub.emit({ type: "dropped", time: Date.now(), url, key, reason });
  }
}
