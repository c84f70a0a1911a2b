import type { Catalog } from "../catalog/catalog.ts";
import type { PairStore } from "../disk/pair_store.ts";
import type { EventHub } from "../reporting/event_hub.ts";
import { areSame, type Entry, entryOf } from "../catalog/entry.ts";
import type { Leftover, Leftovers } from "../entries/leftovers.ts";
import {
  listNames,
  scan,
  type ScanEvents,
  scanNames,
} from "../entries/scan.ts";
import { datName, pairOf } from "../disk/file_names.ts";
import { mismatchOf } from "../disk/sidecar.ts";
import type { DiskErrors, ReportFault } from "../reporting/disk_errors.ts";
import { Pacer } from "../async/pacer.ts";

/** The parts of the cache that a {@linkcode DirectoryReconciler} works on. */
export interface ReconcilerParts {
  /** The files of the directory. */
  readonly store: PairStore;
  /** The known entries. */
  readonly catalog: Catalog;
  /** Emits events. */
  readonly hub: EventHub;
  /** Counts and reports disk errors. */
  readonly errors: DiskErrors;
}

/** Parts that are made after the reconciler. */
export interface LateParts {
  /** The known leftovers. */
  readonly leftovers: Leftovers;
}

/** Updates the catalog after changes of other processes. */
export class DirectoryReconciler {
  readonly #parts: ReconcilerParts;
  readonly #late: () => LateParts;

  /** `late` returns the parts that are made after the reconciler. */
  constructor(parts: ReconcilerParts, late: () => LateParts) {
    this.#parts = parts;
    this.#late = late;
  }

  async refresh(
    key: string,
    report: ReportFault = this.#count,
  ): Promise<void> {
    const { catalog } = this.#parts;
    try {
      let known: Entry | undefined;
      let entry: Entry | undefined;
      // Look again if the entry was stored or deleted here during the look.
      do {
        known = catalog.byKey(key);
        entry = await this.#entry(key);
      } while (catalog.byKey(key) !== known);
      if (entry === undefined) {
        // A lookup that runs may have found the files just before they went.
        catalog.keyChanges.note(key);
        return this.#gone(key, known);
      }
      this.#late().leftovers.forget(pairOf(key));
      if (known !== undefined && areSame(known, entry)) {
        catalog.seen(known, entry);
      } else catalog.replaceFromDisk(entry);
    } catch (error) {
      report("look at an entry", error);
    }
  }

  async refreshAll(report: ReportFault = this.#count): Promise<void> {
    const { catalog } = this.#parts;
    const pacer = new Pacer();
    try {
      await catalog.whileUnordered(
        pacer,
        () => this.#refreshAll(pacer, report),
      );
    } catch (error) {
      report("list the directory", error);
    }
  }

  /**
   * Compares the entries of an index with the directory, in the order of the index, whose
   * blocks are read one by one. An unchanged sidecar is not read.
   *
   * @param now When the index was read (ms since the epoch); later uses, by a wrong
   * clock, count as this.
   * @param onLeftover Called for files that belong to no entry.
   */
  async compare(
    pacer: Pacer,
    now: number,
    { onLeftover, onNotes, undisturbed }: Omit<ScanEvents, "onEntry">,
  ): Promise<void> {
    const { store, catalog } = this.#parts;
    const names = await listNames(store, pacer);
    for (const key of catalog.keys()) {
      if (pacer.due) await pacer.yield();
      const isThere = names.dats.has(key) && names.jsons.has(key);
      if (!isThere) await this.refresh(key);
      else if (await this.#isWhole(key, now)) {
        names.dats.delete(key);
        names.jsons.delete(key);
      }
    }
    const onEntry = (entry: Entry) => catalog.addIfUnknown(entry);
    const events = {
      ...{ onEntry, onLeftover },
      ...(onNotes && { onNotes }),
      ...(undisturbed && { undisturbed }),
    };
    await scanNames(store, catalog.keyChanges, names, events, pacer, now);
  }

  /** Whether the files of an entry are a complete pair, old or new. */
  async #isWhole(key: string, now: number): Promise<boolean> {
    const { store, catalog, errors } = this.#parts;
    const known = catalog.stateOf(key);
    if (known === undefined) return false;
    const { identity, size, sidecarStamp } = known;
    try {
      const facts = await store.facts(datName(key));
      const isSame = facts?.identity === identity && facts.size === size &&
        await store.sidecarStamp(key) === sidecarStamp;
      if (isSame && facts.mtimeMs === known.mtimeMs) return true;
      const fresh = isSame ? undefined : await this.#entry(key, now);
      const entry = catalog.byKey(key);
      // The entry was replaced or deleted meanwhile.
      if (entry?.sidecarStamp !== sidecarStamp) return true;
      if (isSame) catalog.redate(entry, facts.mtimeMs, now);
      else if (fresh !== undefined) catalog.replaceFromDisk(fresh);
      else {
        this.#gone(key, entry);
        return false;
      }
    } catch (error) {
      errors.report("look at an entry", error);
    }
    return true;
  }

  async #refreshAll(pacer: Pacer, report: ReportFault): Promise<void> {
    const { store, catalog } = this.#parts;
    const seen = new Set<string>();
    const events = {
      onEntry: (entry: Entry) => {
        seen.add(entry.key);
        if (catalog.addIfUnknown(entry)) return;
        const known = catalog.peek(entry.url);
        if (known !== undefined && areSame(known, entry)) {
          catalog.seen(known, entry);
        } else seen.delete(entry.key);
      },
      onLeftover: (leftover: Leftover) => this.#late().leftovers.add(leftover),
    };
    await scan(store, catalog.keyChanges, events);
    for (const key of catalog.keys()) {
      if (!seen.has(key)) await this.refresh(key, report);
      if (pacer.due) await pacer.yield();
    }
  }

  readonly #count: ReportFault = (operation, error) =>
    this.#parts.errors.report(operation, error);

  async #entry(key: string, now?: number): Promise<Entry | undefined> {
    const { store } = this.#parts;
    const sidecar = await store.readSidecar(key);
    if (sidecar === undefined || "reason" in sidecar) return undefined;
    const facts = await store.facts(datName(key));
    if (facts === undefined || mismatchOf(sidecar, facts.size)) {
      return undefined;
    }
    return entryOf(sidecar, key, facts, now);
  }

  #gone(key: string, known: Entry | undefined): void {
    const { catalog, hub } = this.#parts;
    if (known === undefined) return;
    const { url } = known;
    catalog.forget(url);
    const reason = "another process removed it";
    hub.emit({ type: "dropped", url, key, reason });
  }
}
