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
import type { WriteTurns } from "./write_turns.ts";

/** The reason to drop an entry whose bytes have changed on disk. */
export const WRONG_DIGEST = "its bytes do not have the digest of the sidecar";

/** The parts of the cache that a {@linkcode ReadCheck} works on. */
export interface ReadCheckParts {
  /** The files of the directory. */
  readonly store: PairStore;
  /** The known entries. */
  readonly catalog: Catalog;
  /** The known leftovers. */
  readonly leftovers: Leftovers;
  /** Turns for changes of names in the directory. */
  readonly writes: WriteTurns;
  /** Removes entries. */
  readonly removal: Removal;
  /** Emits events. */
  readonly hub: EventHub;
  /** Counts and reports disk errors. */
  readonly errors: DiskErrors;
}

/**
 * Compares bytes read from disk with the digest of the sidecar, if there is one: the
 * option `verifyOnRead`.
 */
export class ReadCheck {
  readonly #parts: ReadCheckParts;
  readonly #readOnly: boolean;
  /** The checks by record: there is a new record for each file that a lookup finds. */
  readonly #checked = new WeakMap<Entry, Promise<boolean>>();

  /** With `readOnly` the files of a dropped entry stay. */
  constructor(parts: ReadCheckParts, readOnly: boolean) {
    this.#parts = parts;
    this.#readOnly = readOnly;
  }

  /** Whether bytes in RAM have the digest of the entry. */
  passes(entry: Entry, bytes: Uint8Array): boolean {
    return !entry.sha256 || digestOf(bytes) === entry.sha256;
  }

  /**
   * Whether the bytes of a file have the digest of the entry. The file is read once for
   * all callers; the answer holds as long as the file has its name.
   *
   * @param onFault Called when the disk fails, in place of the file's listener.
   */
  async passesFile(
    entry: Entry,
    file: SharedFile,
    onFault?: OnFault,
  ): Promise<boolean> {
    if (!entry.sha256) return true;
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
      // A disk fault proves nothing: check again at the next read.
      this.#checked.delete(entry);
      throw error;
    }
  }

  /**
   * Drops an entry that failed its check. Its files are removed at once, or else the
   * next lookup would find them again; unless other files have taken their place.
   */
  async drop(entry: Entry): Promise<undefined> {
    const { store, catalog, leftovers, writes, removal, errors, hub } =
      this.#parts;
    const { url, key } = entry;
    if (catalog.peek(url) === entry) {
      catalog.forget(url);
      hub.emit({ type: "dropped", url, key, reason: WRONG_DIGEST });
    }
    if (this.#readOnly) return undefined;
    try {
      await writes.withLock(async () => {
        const facts = await store.facts(datName(key));
        if (facts?.identity !== entry.identity) return;
        // The Python original rewrites both files in place, keeping their inodes.
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
}
