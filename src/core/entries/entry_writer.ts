import type { Catalog } from "../catalog/catalog.ts";
import type { DiskErrors } from "../reporting/disk_errors.ts";
import { type Entry, entryOf } from "../catalog/entry.ts";
import type { Eviction } from "./eviction.ts";
import { keyOf } from "../text/key.ts";
import type { OpenFiles, SharedFile } from "../disk/open_files.ts";
import type { Committed, PairStore } from "../disk/pair_store.ts";
import { pairOf } from "../disk/file_names.ts";
import { readAll } from "../bodies/stored_body.ts";
import type { Removal } from "./removal.ts";
import type { Sidecar } from "../disk/sidecar.ts";
import type { Leftovers } from "./leftovers.ts";
import { stampOf } from "../disk/file_identity.ts";
import { shareEntryFile } from "./discovery.ts";
import type {
  StagedBody,
  StagedBytes,
  StagedFile,
} from "../disk/staged_file.ts";
import type { WriteTurns } from "./write_turns.ts";

/** A body that is about to become an entry. */
export interface CommitRequest<Staged extends StagedBody = StagedFile> {
  /** The staged body. */
  readonly staged: Staged;
  /** The size of the body in bytes. */
  readonly size: number;
  /** The members of the sidecar, except size and time. */
  readonly members: Omit<Sidecar, "size" | "ts">;
  /** Asked at the last moment whether to store the body: it may be deleted by then. */
  readonly wanted?: () => boolean;
  /** Asked under the lock: whether the body must not replace the present entry. */
  readonly isOutdated?: () => Promise<boolean>;
  /** Whether a download of the URL in another process must not be stored any more. */
  readonly revokes?: boolean;
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

/** The steps before and after each commit that other rooms do. */
export interface CommitSteps {
  /** Waits until the budget counts all entries on disk. */
  ready(): Promise<void>;
  /** Keeps a download of another process from being stored. Needs the lock. */
  revoke(key: string): Promise<void>;
  /** Called after each commit, stored or not. */
  onEnded(): void;
}

/** Commits staged bodies, within the budget. */
export class EntryWriter {
  readonly #parts: EntryWriterParts;
  readonly #steps: CommitSteps;

  constructor(parts: EntryWriterParts, steps: CommitSteps) {
    this.#parts = parts;
    this.#steps = steps;
  }

  /**
   * Makes a staged body the entry of its URL, in place of any, and evicts others to
   * make room. Never rejects: a disk fault is reported.
   *
   * @returns The file, held once, which the caller releases; undefined when the body
   * was not stored: then the staged file is still the caller's.
   */
  commitEntry(
    request: CommitRequest,
  ): Promise<SharedFile | undefined> {
    return this.#inTurn(request, async () => {
      const { store, files } = this.#parts;
      const { staged, bytes } = request;
      const entry = await this.#commit(request);
      if (entry === undefined) return undefined;
      const file = shareEntryFile(files, store, entry, staged.file);
      file.hold(true);
      await this.#keepInMemory(entry, () => bytes ?? readAll(file, entry.size));
      return file;
    });
  }

  /**
   * Makes small staged bytes an entry, as {@linkcode EntryWriter.commitEntry} does.
   *
   * @returns Whether they were stored; if not, the staged file is still the caller's.
   */
  async commitBytes(
    request: CommitRequest<StagedBytes> & { readonly bytes: Uint8Array },
  ): Promise<boolean> {
    const entry = await this.#inTurn(request, async () => {
      const entry = await this.#commit(request);
      if (entry) await this.#keepInMemory(entry, () => request.bytes);
      return entry;
    });
    return entry !== undefined;
  }

  async #inTurn<T>(
    { members: { url }, wanted, isOutdated, revokes }: CommitRequest<
      StagedBody
    >,
    commit: () => Promise<T>,
  ): Promise<T | undefined> {
    const { writes, catalog, errors } = this.#parts;
    try {
      await this.#steps.ready();
      return await writes.withLock(async () => {
        if (wanted?.() === false || await isOutdated?.()) return undefined;
        const key = keyOf(url);
        if (revokes) await this.#steps.revoke(key);
        const end = catalog.keyChanges.begin(key);
        try {
          return await commit();
        } finally {
          end();
        }
      });
    } catch (error) {
      // Deleted during the commit: its staged file may be gone. Not a disk error.
      if (wanted?.() !== false) errors.report("store an entry", error);
      return undefined;
    } finally {
      this.#steps.onEnded();
    }
  }

  /** Commits a body; undefined when there can't be room for it. */
  async #commit(
    request: CommitRequest<StagedBody>,
  ): Promise<Entry | undefined> {
    const { staged, size, members } = request;
    const { store, catalog, files, leftovers, writes, eviction, removal } =
      this.#parts;
    const { url } = members;
    const key = keyOf(url);
    if (!await eviction.makeRoom({ ...members, size })) return undefined;
    await files.rescue(store.datPath(key));
    await writes.announce(key);
    const storedAt = catalog.tick();
    const mtimeMs = Math.floor(storedAt);
    const sidecar: Sidecar = { ...members, size, ts: storedAt / 1000 };
    // The old pair is about to change, so the catalog forgets it here.
    const old = catalog.peek(url);
    catalog.forget(url);
    let committed: Committed;
    try {
      committed = await store.commit(key, staged, sidecar, mtimeMs);
    } catch (error) {
      const reason = "its commit has failed";
      await removal.restoreAfterFailure(key, old, reason);
      throw error;
    }
    const { body, sidecarState } = committed;
    const stamp = stampOf(sidecarState);
    const writtenMs = sidecarState.mtimeMs;
    const entry = entryOf({ ...sidecar, stamp, writtenMs }, key, body);
    entry.lastAccess = storedAt;
    entry.seenAtMs = Date.now();
    catalog.stored(entry);
    leftovers.forget(pairOf(key));
    return entry;
  }

  async #keepInMemory(
    entry: Entry,
    read: () => Uint8Array | Promise<Uint8Array>,
  ): Promise<void> {
    const { catalog: { memory }, errors } = this.#parts;
    if (!memory.admits(entry.size)) return;
    try {
      memory.keep(entry.url, await read());
    } catch (error) {
      errors.report("read an entry back", error);
    }
  }
}
