import type { DiskTier } from "../disk_tier.ts";
import type { Entry } from "../catalog/entry.ts";
import { removeEntry } from "./removal.ts";
import { Turns } from "../async/turns.ts";

/** Removes the least recently used entries from disk. */
export class Evictor {
  readonly #tier: DiskTier;

  /** Evicts nothing yet. */
  constructor(tier: DiskTier) {
    this.#tier = tier;
  }

  /**
   * Evicts until there is room for an entry of `size` bytes under `url`. What it
   * is about to replace makes room by itself, so it is no victim. Each victim is
   * looked at once more before it goes: another process may have used it.
   *
   * @throws The file system's error, if it removes none of them.
   */
  async makeRoom(size: number, url: string): Promise<void> {
    const { options, fs, store, catalog } = this.#tier;
    const turns = new Turns();
    const failed = new Map<string, unknown>();
    // Asked anew each time: lookups go on meanwhile, and may find or drop it.
    const others = () => catalog.totalBytes - (catalog.peek(url)?.size ?? 0);
    while (others() + size > options.maxBytes) {
      const victim = catalog.oldest();
      if (victim === undefined) return;
      if (failed.has(victim.key)) throw failed.get(victim.key);
      if (turns.due) await turns.next();
      if (victim.url === url) {
        catalog.use(url);
        continue;
      }
      const facts = await fs.facts(store.datPath(victim.key));
      // It may have been used meanwhile, here or elsewhere.
      if (catalog.oldest() !== victim) continue;
      if (facts === undefined) catalog.forget(victim.url);
      else if (facts.mtimeMs > victim.mtimeMs) {
        catalog.usedElsewhere(victim, facts.mtimeMs);
      } else {
        await this.#evict(victim).catch((error) => {
          this.#tier.errors.report("evict an entry", error);
          failed.set(victim.key, error);
        });
      }
    }
  }

  async #evict(victim: Entry): Promise<void> {
    const { catalog, counters, hub } = this.#tier;
    const { url, key, mimetype, filename, size, lastAccess } = victim;
    const isWanted = () => catalog.oldest() === victim;
    const failure = "it could not be evicted";
    await removeEntry(this.#tier, url, key, { failure, isWanted });
    if (catalog.peek(url) === victim) return;
    counters.evictions++;
    const body = { url, key, mimetype, filename, size, lastAccess };
    hub.emit({ type: "evicted", time: Date.now(), ...body });
  }
}
