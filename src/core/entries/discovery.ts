import type { Broken, Found, PairStore } from "../disk/pair_store.ts";
import type { Catalog } from "../catalog/catalog.ts";
import { areSame, type Entry, entryOf } from "../catalog/entry.ts";
import type { DiskFile } from "../disk/disk_file.ts";
import type { EventHub } from "../reporting/event_hub.ts";
import { datName, pairOf } from "../disk/file_names.ts";
import { keyOf } from "../text/key.ts";
import { leftoverOf, type Leftovers } from "./leftovers.ts";
import type { OpenFiles, SharedFile } from "../disk/open_files.ts";
import type { WriteTurns } from "./write_turns.ts";

/** An entry and its open file, held once. */
export interface OpenEntry {
  /** The entry. */
  readonly entry: Entry;
  /** The file of the entry. */
  readonly file: SharedFile;
}

/** The parts of the cache that a {@linkcode Discovery} works on. */
export interface DiscoveryParts {
  /** The files of the directory. */
  readonly store: PairStore;
  /** The known entries. */
  readonly catalog: Catalog;
  /** The open files of entries. */
  readonly files: OpenFiles;
  /** The known leftovers. */
  readonly leftovers: Leftovers;
  /** Turns for changes of names in the directory. */
  readonly writes: WriteTurns;
  /** Emits events. */
  readonly hub: EventHub;
}

/** Shares the open file of an entry; the caller holds the result at once. */
export function shareEntryFile(
  files: OpenFiles,
  store: PairStore,
  entry: Entry,
  file: DiskFile,
): SharedFile {
  const { key, identity } = entry;
  const openSurely = async () => {
    const found = await store.find(key);
    if (found === undefined || !("file" in found)) return undefined;
    const now = entryOf(found.sidecar, key, found.facts);
    if (areSame(entry, now)) return found.file;
    found.file.close();
    return undefined;
  };
  return files.adopt(store.datPath(key), identity, file, openSurely);
}

/** Takes entries in from their files, which the key of the URL names. */
export class Discovery {
  readonly #parts: DiscoveryParts;

  constructor(parts: DiscoveryParts) {
    this.#parts = parts;
  }

  /**
   * Opens the pair of a URL, holds its body, and takes the entry in: another process may
   * have stored the URL, or the scan has not reached it yet. An entry whose files are gone,
   * or don't fit each other, is dropped.
   *
   * @param known The entry that the catalog has of the URL.
   * @param isCurrent Whether nothing has changed the entry since this look began.
   */
  async open(
    url: string,
    known: Entry | undefined,
    isCurrent: () => boolean,
  ): Promise<OpenEntry | undefined> {
    const { store, catalog, files, leftovers, hub } = this.#parts;
    const key = keyOf(url);
    const now = Date.now();
    const found = await this.#find(key, known !== undefined);
    // False if a commit or deletion came between: the found files may be old.
    const mayUpdate = isCurrent() && catalog.peek(url) === known;
    if (found !== undefined && "file" in found) {
      let entry = entryOf(found.sidecar, key, found.facts);
      entry.seenAtMs = now;
      if (mayUpdate && known !== undefined && areSame(known, entry)) {
        catalog.seen(known, entry);
        known.seenAtMs = now;
        entry = known;
      } else if (mayUpdate) {
        catalog.replaceFromDisk(entry);
        leftovers.forget(pairOf(key));
      }
      const file = shareEntryFile(files, store, entry, found.file);
      file.hold(true);
      return { entry, file };
    }
    const reason = found?.reason ?? "its files are gone";
    if (known !== undefined && mayUpdate) {
      catalog.forget(url);
      hub.emit({ type: "dropped", url, key, reason });
    }
    if (found !== undefined && mayUpdate) {
      const leftover = await leftoverOf(store, pairOf(key), reason);
      if (leftover !== undefined) leftovers.add(leftover);
      hub.emit({ type: "skipped", path: store.jsonPath(key), reason });
    }
    return undefined;
  }

  /**
   * Finds the pair of a key. What looks half-changed is looked at again when no
   * process changes it.
   *
   * @param isKnown Whether there was an entry before.
   */
  async #find(
    key: string,
    isKnown: boolean,
  ): Promise<Found | Broken | undefined> {
    const { store, writes } = this.#parts;
    const found = await store.find(key);
    // While an entry is replaced, or removed, only its body is there.
    const isHalf = found === undefined
      ? isKnown && await store.probablyExists(datName(key))
      : "reason" in found;
    return isHalf ? await writes.undisturbed(() => store.find(key)) : found;
  }
}
