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
  /** Its bytes. */
  readonly size: number;
  /** What its sidecar will say, size and time apart. */
  readonly description: Omit<Sidecar, "size" | "ts">;
  /** Asked at the last moment: the entry may have been deleted by then. */
  readonly wanted?: () => boolean;
  /** Asked under the lock: whether the body must not take the place of what is stored. */
  readonly isOutdated?: () => Promise<boolean>;
  /** The bytes for the memory tier, where they are in hand. */
  readonly bytes?: Uint8Array | undefined;
}

/** What storing works on. */
export interface EntryWriterParts {
  /** The files of the directory. */
  readonly store: PairStore;
  /** What is known of the entries. */
  readonly catalog: Catalog;
  /** The open files of entries. */
  readonly files: OpenFiles;
  /** Files that are no entry. */
  readonly leftovers: Leftovers;
  /** The turns of those who change names. */
  readonly writes: WriteTurns;
  /** Makes room. */
  readonly eviction: Eviction;
  /** Takes back what the disk did half-way. */
  readonly removal: Removal;
  /** Where failures go. */
  readonly errors: DiskErrors;
}

/** What happens around each commit. */
export interface CommitEvents {
  /** Waits until all entries count: what nobody knows of would count for no budget. */
  ready(): Promise<void>;
  /** A commit has ended, whatever came of it. */
  onEnded(): void;
}

/** Makes staged bodies entries, within the budget. */
export class EntryWriter {
  readonly #parts: EntryWriterParts;
  readonly #events: CommitEvents;

  /** Works on these parts. */
  constructor(parts: EntryWriterParts, events: CommitEvents) {
    this.#parts = parts;
    this.#events = events;
  }

  /**
   * Makes a staged body an entry, in place of any under the same URL, evicting
   * others to make room. Never rejects: a fault of the disk is reported.
   *
   * @returns The file, held for the caller, who must release it; undefined when
   * the body was not stored, and the staged file is still the caller's.
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
      // Deleted during the commit: the staged file may have lost its name.
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
    // From here on the old pair is no longer what the catalog knows.
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
