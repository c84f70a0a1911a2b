import { adoptEntry } from "./adopt_entry.ts";
import type { DiskTier } from "../disk_tier.ts";
import type { Entry } from "../catalog/entry.ts";
import { Evictor } from "./evictor.ts";
import { keyOf } from "../text/key.ts";
import type { SharedFile } from "../disk/open_files.ts";
import { entryOf } from "../catalog/entry.ts";
import { pairOf } from "../disk/file_names.ts";
import type { Sidecar } from "../disk/sidecar.ts";
import type { StagedFile } from "../disk/staged_file.ts";
import { readAll } from "../bodies/stored_body.ts";
import { takeBack } from "./take_back.ts";

/** A body that is about to become an entry. */
export interface Commission {
  /** The staged body. */
  readonly staged: StagedFile;
  /** Its bytes. */
  readonly size: number;
  /** What its sidecar will say, size and time apart. */
  readonly description: Omit<Sidecar, "size" | "ts">;
  /** Asked at the last moment: the entry may have been deleted by then. */
  readonly wanted?: () => boolean;
  /** The bytes for the memory tier, where they are in hand. */
  readonly bytes?: Uint8Array | undefined;
}

/** Makes staged bodies entries, within the budget. */
export class Committer {
  readonly #tier: DiskTier;
  readonly #evictor: Evictor;

  /** Commits nothing yet. */
  constructor(tier: DiskTier) {
    this.#tier = tier;
    this.#evictor = new Evictor(tier);
  }

  /**
   * Commits a body, in place of any under the same URL. One at a time.
   *
   * @returns The file, held for the caller, who must release it.
   */
  async commit(commission: Commission): Promise<SharedFile> {
    const { staged, size, description, bytes } = commission;
    const { store, catalog, files, orphans, writes } = this.#tier;
    const { url } = description;
    const key = keyOf(url);
    const path = store.datPath(key);
    await this.#evictor.makeRoom(size, url);
    await files.rescue(path);
    await writes.announce(key);
    const storedAt = catalog.tick();
    const mtimeMs = Math.floor(storedAt);
    const sidecar: Sidecar = { ...description, size, ts: storedAt / 1000 };
    // From here on the old pair is no longer what the catalog knows.
    const old = catalog.peek(url);
    catalog.forget(url);
    const { facts, stamp } = await store.commit(key, staged, sidecar, mtimeMs)
      .catch(async (error) => {
        await takeBack(this.#tier, key, old, "its commit has failed");
        throw error;
      });
    const entry = {
      ...entryOf({ ...sidecar, stamp }, key, { ...facts, size }),
      lastAccess: storedAt,
    };
    catalog.stored(entry);
    orphans.forget(pairOf(key));
    const file = adoptEntry(this.#tier, entry, staged.file);
    file.hold(true);
    await this.#keepInMemory(entry, file, bytes);
    return file;
  }

  async #keepInMemory(
    entry: Entry,
    file: SharedFile,
    bytes: Uint8Array | undefined,
  ): Promise<void> {
    const { catalog: { memory }, errors } = this.#tier;
    if (!memory.admits(entry.size)) return;
    try {
      memory.keep(entry.url, bytes ?? await readAll(file, entry.size));
    } catch (error) {
      errors.report("read an entry back", error);
    }
  }
}
