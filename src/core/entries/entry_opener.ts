import type { Broken, Found, PairStore } from "../disk/pair_store.ts";
import type { OpenCalls } from "../async/open_calls.ts";
import type { Catalog } from "../catalog/catalog.ts";
import { areSame, type Entry, entryOf } from "../catalog/entry.ts";
import type { DiskErrors, ReportFault } from "../reporting/disk_errors.ts";
import type { DiskFile } from "../disk/disk_file.ts";
import type { EventHub } from "../reporting/event_hub.ts";
import { areSameState, isYoung } from "../disk/file_identity.ts";
import { datName, pairOf } from "../disk/file_names.ts";
import { isNotFound } from "../disk/file_system.ts";
import { keyOf } from "../text/key.ts";
import { leftoverOf, type Leftovers } from "./leftovers.ts";
import type { OpenFiles, SharedFile } from "../disk/open_files.ts";
import type { WriteTurns } from "./write_turns.ts";

/** How long a lookup waits for an entry that another process is replacing. */
const REPLACE_TIMEOUT_MS = 200;

/** An entry and its open file, held. */
export interface OpenEntry {
  /** The entry. */
  readonly entry: Entry;
  /** Its file. */
  readonly file: SharedFile;
}

/** The parts of the cache that `EntryOpener` works on. */
export interface EntryOpenerParts {
  /** The files of the directory. */
  readonly store: PairStore;
  /** What is known of the entries. */
  readonly catalog: Catalog;
  /** The open files of entries. */
  readonly files: OpenFiles;
  /** Files that are no entry. */
  readonly leftovers: Leftovers;
  /** What other processes tell. */
  readonly writes: WriteTurns;
  /** Calls that use the disk. */
  readonly calls: OpenCalls;
  /** Where events go. */
  readonly hub: EventHub;
  /** Where failures go. */
  readonly errors: DiskErrors;
}

/** Shares the open file of an entry. It must be held or claimed at once. */
export function shareEntryFile(
  files: OpenFiles,
  store: PairStore,
  entry: Entry,
  file: DiskFile,
): SharedFile {
  const { key, inode } = entry;
  const openSurely = async () => {
    const found = await store.find(key);
    if (found === undefined || !("file" in found)) return undefined;
    const now = entryOf(found.sidecar, key, found.facts);
    if (areSame(entry, now)) return found.file;
    found.file.close();
    return undefined;
  };
  return files.adopt(store.datPath(key), inode, file, openSurely);
}

/**
 * Opens committed entries: known ones again, if it is sure that their files are still
 * the same, and others by their hashed paths.
 */
export class EntryOpener {
  readonly #parts: EntryOpenerParts;

  /** Works on these parts. */
  constructor(parts: EntryOpenerParts) {
    this.#parts = parts;
  }

  /**
   * Learns what other processes have changed.
   *
   * @param report Told when the disk fails; by default it is counted.
   */
  async catchUp(
    report: ReportFault = (operation, error) =>
      this.#parts.errors.report(operation, error),
  ): Promise<void> {
    const { calls, store, writes } = this.#parts;
    if (!store.ready) return;
    try {
      await calls.run(() => writes.catchUp(report));
    } catch (error) {
      report("learn of changes", error);
    }
  }

  /** Opens the entry of a URL, and holds its file. */
  async open(url: string): Promise<OpenEntry | undefined> {
    const { store, catalog } = this.#parts;
    if (!store.ready) await store.prepare();
    const known = catalog.peek(url);
    const isCertain = known !== undefined && await this.isCertain(known);
    return isCertain && await this.#openKnown(known) ||
      await this.#discover(url, known);
  }

  /** Whether an entry is what its sidecar says, and not only what an index told. */
  async isCertain({ key, sidecarStamp }: Entry): Promise<boolean> {
    const { store, catalog } = this.#parts;
    return !catalog.isProvisional ||
      await store.sidecarStamp(key) === sidecarStamp;
  }

  /**
   * Whether no other file can look like that of an entry: it was looked at long
   * enough after it was written, or was not changed until then.
   */
  async isSettled(entry: Entry): Promise<boolean> {
    if (!entry.isYoung) return true;
    const { catalog, writes } = this.#parts;
    const isLearned = () => !isYoung(entry, writes.learnedAt);
    if (isYoung(entry, Date.now())) return false;
    if (!isLearned() && !writes.isFresh) await this.catchUp();
    entry.isYoung = !isLearned() || catalog.peek(entry.url) !== entry;
    return !entry.isYoung;
  }

  /** Opens an entry that is known, if it is sure that its file is still that one. */
  async #openKnown(entry: Entry): Promise<OpenEntry | undefined> {
    const { store, files } = this.#parts;
    const path = store.datPath(entry.key);
    let file = files.find(path, entry.inode);
    if (file !== undefined) {
      const facts = await store.facts(datName(entry.key));
      if (facts?.inode !== entry.inode || facts.size !== entry.size) return;
      // Who held it may have let go of it meanwhile.
      file = files.find(path, entry.inode);
    }
    file ??= await this.#reopen(entry);
    file?.hold(true);
    return file && { entry, file };
  }

  async #reopen(entry: Entry): Promise<SharedFile | undefined> {
    const { store, files } = this.#parts;
    if (!await this.isSettled(entry)) return undefined;
    try {
      const file = await store.openBody(entry.key);
      if (areSameState(file.opened, entry)) {
        return shareEntryFile(files, store, entry, file);
      }
      // Another process has used it, or replaced or rewritten it.
      file.close();
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    return undefined;
  }

  /** Finds what takes the place of an entry just now, if another process puts it there. */
  async #findReplaced(key: string): Promise<Found | Broken | undefined> {
    const { store, writes } = this.#parts;
    if (!await store.seems(datName(key))) return undefined;
    // Its commit ends before the lock is free.
    await writes.withLock(() => Promise.resolve(), REPLACE_TIMEOUT_MS)
      .catch(() => {});
    return await store.find(key);
  }

  /**
   * Looks at the hashed path: another process may have stored the URL, or the
   * scan has not come to it yet. An entry whose files are gone, or do not fit
   * each other, is dropped.
   */
  async #discover(
    url: string,
    known: Entry | undefined,
  ): Promise<OpenEntry | undefined> {
    const { store, catalog, files, leftovers, hub } = this.#parts;
    const key = keyOf(url);
    const watch = catalog.watch(url);
    let found: Found | Broken | undefined;
    try {
      found = await store.find(key);
      if (found === undefined && known !== undefined) {
        found = await this.#findReplaced(key);
      }
    } finally {
      watch.end();
    }
    // A commit or a deletion that came between knows better.
    const isCurrent = !watch.isDisturbed && catalog.peek(url) === known;
    if (found !== undefined && "file" in found) {
      let entry = entryOf(found.sidecar, key, found.facts);
      if (isCurrent && known !== undefined && areSame(known, entry)) {
        catalog.seen(known, entry);
        entry = known;
      } else if (isCurrent) {
        catalog.found(entry);
        leftovers.forget(pairOf(key));
      }
      const file = shareEntryFile(files, store, entry, found.file);
      file.hold(true);
      return { entry, file };
    }
    if (isCurrent && known === undefined) catalog.forgetPending(key);
    const reason = found?.reason ?? "its files are gone";
    if (known !== undefined && isCurrent) {
      catalog.forget(url);
      hub.emit({ type: "dropped", url, key, reason });
    }
    if (found !== undefined && !watch.isDisturbed) {
      const leftover = await leftoverOf(store, pairOf(key), reason);
      if (leftover !== undefined) leftovers.add(leftover);
      hub.emit({ type: "skipped", path: store.jsonPath(key), reason });
    }
    return undefined;
  }
}
