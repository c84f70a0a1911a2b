import { digestOf, digestOfFile } from "../bodies/digest.ts";
import type { Entry } from "../catalog/entry.ts";
import type { OnFault, SharedFile } from "../disk/open_files.ts";
import { datName, pairOf } from "../disk/file_names.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { DiskErrors } from "../reporting/disk_errors.ts";
import type { PairStore } from "../disk/pair_store.ts";
import type { EventHub } from "../reporting/event_hub.ts";
import type { Leftovers } from "./leftovers.ts";
import type { Removal } from "./removal.ts";
import type { ResolvedOptions } from "../api/options.ts";
import type { WriteTurns } from "./write_turns.ts";

/** Why an entry goes whose bytes are not those that were stored. */
export const WRONG_DIGEST = "its bytes do not have the digest of the sidecar";

/** What dropping a broken entry works on. */
export interface ReadCheckParts {
  /** The files of the directory. */
  readonly store: PairStore;
  /** What is known of the entries. */
  readonly catalog: Catalog;
  /** Files that are no entry. */
  readonly leftovers: Leftovers;
  /** The turns of those who change names. */
  readonly writes: WriteTurns;
  /** Removes entries. */
  readonly removal: Removal;
  /** Where events go. */
  readonly hub: EventHub;
  /** Where failures go. */
  readonly errors: DiskErrors;
}

/**
 * Compares what is read from disk with the digest of the sidecar, where the
 * options ask for that and there is one.
 */
export class ReadCheck {
  readonly #parts: ReadCheckParts;
  readonly #options: Pick<ResolvedOptions, "readOnly" | "verifyOnRead">;
  /** By entry, of which there is a new one for each file that is found. */
  readonly #checked = new WeakMap<Entry, Promise<boolean>>();

  /** Works on these parts. */
  constructor(
    parts: ReadCheckParts,
    options: Pick<ResolvedOptions, "readOnly" | "verifyOnRead">,
  ) {
    this.#parts = parts;
    this.#options = options;
  }

  /** Whether bytes in hand are the entry's. */
  passes(entry: Entry, bytes: Uint8Array): boolean {
    return !this.#applies(entry) || digestOf(bytes) === entry.sha256;
  }

  /**
   * Whether the bytes of a file are the entry's. It is read once, for all who
   * ask, and stays good as long as it has its name.
   *
   * @param onFault Told when the disk fails, in place of the file's listener.
   */
  async passesFile(
    entry: Entry,
    file: SharedFile,
    onFault?: OnFault,
  ): Promise<boolean> {
    if (!this.#applies(entry)) return true;
    const known = this.#checked.get(entry);
    if (known !== undefined) return await known;
    const readAt = (view: Uint8Array, position: number) =>
      file.readAt(view, position, onFault);
    const check = digestOfFile({ readAt }, entry.size)
      .then((digest) => digest === entry.sha256);
    this.#checked.set(entry, check);
    try {
      return await check;
    } catch (error) {
      // The disk failed, which proves nothing.
      this.#checked.delete(entry);
      throw error;
    }
  }

  /**
   * Drops an entry that has failed. Its files go at once, since it is proven
   * that they are broken and would be found again; unless they are others by now.
   */
  async drop(entry: Entry): Promise<undefined> {
    const { store, catalog, leftovers, writes, removal, errors, hub } =
      this.#parts;
    const { url, key } = entry;
    if (catalog.peek(url) === entry) {
      catalog.forget(url);
      hub.emit({ type: "dropped", url, key, reason: WRONG_DIGEST });
    }
    if (this.#options.readOnly) return undefined;
    try {
      await writes.withLock(async () => {
        const facts = await store.facts(datName(key));
        if (facts?.inode !== entry.inode) return;
        // The Python original rewrites both in place.
        const sidecar = await store.readSidecar(key);
        const isProven = sidecar !== undefined && "url" in sidecar &&
          sidecar.sha256 === entry.sha256;
        if (!isProven) return;
        await removal.remove(url, key, { failure: WRONG_DIGEST });
        leftovers.forget(pairOf(key));
      });
    } catch (error) {
      errors.report("remove what is wrong", error);
    }
  }

  #applies(entry: Entry): boolean {
    return this.#options.verifyOnRead && !!entry.sha256;
  }
}
