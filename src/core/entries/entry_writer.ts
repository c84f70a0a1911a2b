import type { Catalog } from "../catalog/catalog.ts";
import type { DiskErrors } from "../reporting/disk_errors.ts";
import { type Entry, entryOf } from "../catalog/entry.ts";
import type { Eviction } from "./eviction.ts";
import { keyOf } from "../text/key.ts";
import type { OpenFiles, SharedFile } from "../disk/open_files.ts";
import type { PairStore } from "../disk/pair_store.ts";
import { pairOf } from "../disk/file_names.ts";
import { readAll } from "../bodies/stored_body.ts";
import type { Removal } from "./removal.ts";
import type { Sidecar } from "../disk/sidecar.ts";
import type { Leftovers } from "./leftovers.ts";
import { stampOf } from "../disk/file_identity.ts";
import { shareEntryFile } from "./entry_opener.ts";
import type { StagedFile } from "../disk/staged_file.ts";
import type { WriteTurns } from "./write_turns.ts";

/** A body that is about to become an entry. */
export interface CommitRequest {
  /** The staged body. */
  readonly staged: StagedFile;
  /** The size of the body in bytes. */
  readonly size: number;
  /** The members of the sidecar, except size and time. */
  readonly description: Omit<Sidecar, "size" | "ts">;
  /** Asked at the last moment whether to store the body: it may be deleted by then. */
  readonly wanted?: () => boolean;
  /** Asked under the lock: whether the body must not replace the present entry. */
  readonly isOutdated?: () => Promise<boolean>;
  /** The bytes for the memory tier, if they are in RAM. */
  readonly bytes?: Uint8Array | undefined;
}

/** The parts of the cache that an {@linkcode EntryWriter} works on. */
export interface EntryWriterParts {
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
  /** Makes room. */
  readonly eviction: Eviction;
  /** Restores the catalog after a failed commit. */
  readonly removal: Removal;
  /** Counts and reports disk errors. */
  readonly errors: DiskErrors;
}

/** Called before and after each commit. */
export interface CommitEvents {
  /** Waits until the budget counts all entries on disk. */
  ready(): Promise<void>;
  /** Called after each commit, stored or not. */
  onEnded(): void;
}

/** Commits staged bodies, within the budget. */
export class EntryWriter {
  readonly #parts: EntryWriterParts;
  readonly #events: CommitEvents;

  constructor(parts: EntryWriterParts, events: CommitEvents) {
    this.#parts = parts;
    this.#events = events;
  }

  /**
   * Makes a staged body the entry of its URL, in place of any, and evicts others to
   * make room. Never rejects: a disk fault is reported.
   *
   * @returns The file, held once, which the caller releases; undefined when the body
   * was not stored: then the staged file is still the caller's.
   */
  async commitEntry(request: CommitRequest): Promise<SharedFile | undefined> {
    const { writes, catalog, errors } = this.#parts;
    const { description: { url }, wanted, isOutdated } = request;
    try {
      await this.#events.ready();
      return await writes.withLock(async () => {
        if (wanted?.() === false || await isOutdated?.()) return undefined;
        const end = catalog.keyChanges.begin(keyOf(url));
        try {
          return await this.#commit(request);
        } finally {
          end();
        }
      }).finally(() => this.#events.onEnded());
    } catch (error) {
      // Deleted during the commit: its staged file may be gone. Not a disk error.
      if (wanted?.() === false) return undefined;
      errors.report("store an entry", error);
    }
    return undefined;
  }

  async #commit(request: CommitRequest): Promise<SharedFile> {
    const { staged, size, description, bytes } = request;
    const { store, catalog, files, leftovers, writes, eviction, removal } =
      this.#parts;
    const { url } = description;
    const key = keyOf(url);
    await eviction.makeRoom(size, url);
    await files.rescue(store.datPath(key));
    await writes.announce(key);
    const storedAt = catalog.tick();
    const mtimeMs = Math.floor(storedAt);
    const sidecar: Sidecar = { ...description, size, ts: storedAt / 1000 };
    // The old pair is about to change, so the catalog forgets it here.
    const old = catalog.peek(url);
    catalog.forget(url);
    const { facts, sidecarState } = await store
      .commit(key, staged, sidecar, mtimeMs)
      .catch(async (error) => {
        const reason = "its commit has failed";
        await removal.restoreAfterFailure(key, old, reason);
        throw error;
      });
    const stamp = stampOf(sidecarState);
    const writtenMs = sidecarState.mtimeMs;
    const entry = {
      ...entryOf({ ...sidecar, stamp, writtenMs }, key, { ...facts, size }),
      lastAccess: storedAt,
      seenAtMs: Date.now(),
    };
    catalog.stored(entry);
    leftovers.forget(pairOf(key));
    const file = shareEntryFile(files, store, entry, staged.file);
    file.hold(true);
    await this.#keepInMemory(entry, file, bytes);
    return file;
  }

  async #keepInMemory(
    entry: Entry,
    file: SharedFile,
    bytes: Uint8Array | undefined,
  ): Promise<void> {
    const { catalog: { memory }, errors } = this.#parts;
    if (!memory.admits(entry.size)) return;
    try {
      memory.keep(entry.url, bytes ?? await readAll(file, entry.size));
    } catch (error) {
      errors.report("read an entry back", error);
    }
  }
}
