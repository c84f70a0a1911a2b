import type { Broken, Found, PairStore } from "../disk/pair_store.ts";
import type { Catalog } from "../catalog/catalog.ts";
import { areSame, type Entry, entryOf } from "../catalog/entry.ts";
import type { DiskFile } from "../disk/disk_file.ts";
import type { EventHub } from "../reporting/event_hub.ts";
import { areSameState } from "../disk/file_identity.ts";
import type { MaybePromise } from "../disk/io_mode.ts";
import { datName, pairOf } from "../disk/file_names.ts";
import { isNotFound } from "../disk/disk_fault.ts";
import { keyOf } from "../text/key.ts";
import { leftoverOf, type Leftovers } from "./leftovers.ts";
import type { OpenFiles, SharedFile } from "../disk/open_files.ts";
import type { WriteTurns } from "./write_turns.ts";

/** For how long after a look at its sidecar an entry is taken to be the same, in milliseconds. */
const TRUSTED_MS = 20;

/** An entry and its open file, held once. */
export interface OpenEntry {
  /** The entry. */
  readonly entry: Entry;
  /** The file of the entry. */
  readonly file: SharedFile;
}

/** The parts of the cache that `EntryOpener` works on. */
export interface EntryOpenerParts {
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

/**
 * Opens committed entries: known entries whose files are still the same, and all
 * others by the key of the URL, which names their files.
 */
export class EntryOpener {
  readonly #parts: EntryOpenerParts;

  constructor(parts: EntryOpenerParts) {
    this.#parts = parts;
  }

  /**
   * Whether all that is remembered of an entry still holds, by the trust rule in
   * lookup.ts.
   *
   * @throws The file system's error.
   */
  holds(entry: Entry): MaybePromise<boolean> {
    const now = Date.now();
    const agoMs = now - entry.seenAtMs;
    if (agoMs >= 0 && agoMs < TRUSTED_MS) return true;
    if (entry.isYoung) return false;
    const decide = (stamp: number | undefined) => {
      if (stamp !== entry.sidecarStamp) return false;
      entry.seenAtMs = now;
      return true;
    };
    const stamp = this.#parts.store.sidecarStamp(entry.key);
    return stamp instanceof Promise ? stamp.then(decide) : decide(stamp);
  }

  /**
   * Opens the entry of a URL, and holds its file.
   *
   * @param isCurrent Whether nothing has changed the entry since this look began.
   */
  async open(
    url: string,
    isCurrent: () => boolean,
  ): Promise<OpenEntry | undefined> {
    const { store, catalog } = this.#parts;
    if (!store.ready) await store.prepare();
    const known = catalog.peek(url);
    return known !== undefined && await this.#openKnown(known) ||
      await this.#discover(url, known, isCurrent);
  }

  /** Opens an entry whose files are still the same. */
  async #openKnown(entry: Entry): Promise<OpenEntry | undefined> {
    // A young entry proves nothing: another file could have the same state.
    if (entry.isYoung) return undefined;
    const file = await this.#holdBody(entry);
    if (file === undefined) return undefined;
    try {
      // Checked after the .dat is open: a new sidecar comes only after its .dat.
      if (await this.holds(entry)) return { entry, file };
    } catch (error) {
      file.release(true);
      throw error;
    }
    file.release(true);
    return undefined;
  }

  /** Opens and holds the .dat of an entry, if it is in the known state. */
  async #holdBody(entry: Entry): Promise<SharedFile | undefined> {
    const { store, files } = this.#parts;
    const path = store.datPath(entry.key);
    if (files.find(path, entry.identity) !== undefined) {
      const facts = await store.facts(datName(entry.key));
      if (facts === undefined || !areSameState(facts, entry)) return undefined;
      // The last reader may have closed the file meanwhile.
      const shared = files.find(path, entry.identity);
      if (shared !== undefined) {
        shared.hold(true);
        return shared;
      }
    }
    try {
      const file = await store.openBody(entry.key);
      if (areSameState(file.opened, entry)) {
        const shared = shareEntryFile(files, store, entry, file);
        shared.hold(true);
        return shared;
      }
      // Another process has used the entry, or replaced or rewritten its .dat.
      file.close();
    } catch (error) {
      if (!isNotFound(error)) throw error;
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

  /**
   * Looks for the files of the key: another process may have stored the URL, or the scan has
   * not reached it yet. An entry whose files are gone, or don't fit each other, is
   * dropped.
   */
  async #discover(
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
}
