import type { News } from "./change_log.ts";
import type { DiskTier } from "./disk_tier.ts";
import type { Entry } from "./entry.ts";
import { entryOf, pairOf, scan } from "./recovery.ts";
import { mismatchOf } from "./sidecar.ts";
import { Turns } from "./turns.ts";

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
  async refresh(key: string): Promise<void> {
    const { catalog, errors, orphans } = this.#parts();
    const known = catalog.byKey(key);
    try {
      const entry = await this.#entry(key);
      if (entry === undefined) return this.#gone(known);
      orphans.forget(pairOf(key));
      if (known?.inode !== entry.inode || known.size !== entry.size) {
        catalog.found(entry);
      } else catalog.usedElsewhere(known, entry.mtimeMs);
    } catch (error) {
      errors.report("look at an entry", error);
    }
  }

  /** See {@linkcode Reconciler.refreshAll}. */
  async refreshAll(): Promise<void> {
    const { fs, store, catalog, orphans, errors } = this.#parts();
    try {
      const before = catalog.list();
      const seen = new Set<string>();
      await scan(fs, store, {
        onEntry: (entry) => {
          seen.add(entry.key);
          const known = catalog.peek(entry.url);
          if (known === undefined) catalog.insert(entry);
          else if (known.inode !== entry.inode) seen.delete(entry.key);
        },
        onLeftover: (leftover) => orphans.add(leftover),
      });
      const turns = new Turns();
      for (const { key } of before) {
        if (!seen.has(key)) await this.refresh(key);
        if (turns.due) await turns.next();
      }
      catalog.sort();
    } catch (error) {
      errors.report("list the directory", error);
    }
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

  async #entry(key: string): Promise<Entry | undefined> {
    const { fs, store } = this.#parts();
    const sidecar = await store.readSidecar(key);
    if (sidecar === undefined || "reason" in sidecar) return undefined;
    const facts = await fs.facts(store.datPath(key));
    if (facts === undefined || mismatchOf(sidecar, facts.size)) {
      return undefined;
    }
    return entryOf(sidecar, key, facts);
  }

  #gone(known: Entry | undefined): void {
    if (known === undefined) return;
    const { catalog, hub } = this.#parts();
    const { url, key } = known;
    catalog.forget(url);
    const reason = "another process removed it";
    hub.emit({ type: "dropped", time: Date.now(), url, key, reason });
  }
}
