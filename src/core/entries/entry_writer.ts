import type { Catalog } from "../catalog/catalog.ts";
import type { DiskErrors } from "../reporting/disk_errors.ts";
import { type Entry, entryOf } from "../catalog/entry.ts";
import type { Eviction } from "./eviction.ts";
import { keyOf } from "../text/key.ts";
import type { MaybePromise } from "../disk/io_mode.ts";
import type { OpenFiles, SharedFile } from "../disk/open_files.ts";
import type { PairStore } from "../disk/pair_store.ts";
import { pairOf } from "../disk/file_names.ts";
import { readAll } from "../bodies/stored_body.ts";
import type { Removal } from "./removal.ts";
import type { Sidecar } from "../disk/sidecar.ts";
import type { Leftovers } from "./leftovers.ts";
import { stampOf } from "../disk/file_identity.ts";
import { shareEntryFile } from "./discovery.ts";
import {
  STAGED_GRACE_MS,
  type StagedFile,
  type StagedPair,
} from "../disk/staged_file.ts";
import type { WriteTurns } from "./write_turns.ts";

/** Files without a lock that waited for longer (ms) may have been removed as leftovers. */
const RENEW_AFTER_MS = STAGED_GRACE_MS / 2;

/** The conditions of a commit, and its first step, both under the lock of the directory. */
export interface CommitTerms {
  /** Asked first under the lock whether to store the body: it may be deleted by then. */
  readonly wanted?: () => boolean;
  /** Asked under the lock: whether the body must not replace the present entry. */
  readonly isOutdated?: () => Promise<boolean>;
  /**
   * Whether the body replaces another, so that a download of the URL in another process
   * must not be stored any more.
   */
  readonly revokes?: boolean;
  /** Whether the remote tier has these bytes, or must not have them from here. */
  readonly isRemote?: boolean;
}

/** Small bytes that are about to become an entry. */
export interface BytesRequest extends CommitTerms {
  /** The members of the sidecar, except size and time. */
  readonly members: Omit<Sidecar, "size" | "ts">;
  /** The bytes. */
  readonly bytes: Uint8Array;
  /** Whether the bytes belong to the cache, and enter the memory tier. */
  readonly isOwned: boolean;
}

/** A staged body that is about to become an entry. */
export interface CommitRequest extends CommitTerms {
  /** The members of the sidecar, except size and time. */
  readonly members: Omit<Sidecar, "size" | "ts">;
  /** The staged body. */
  readonly staged: StagedFile;
  /** The size of the body in bytes. */
  readonly size: number;
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

/** The steps of a commit that other rooms do. */
export interface CommitSteps {
  /** Knows when the budget counts all entries on disk. */
  readonly budget: {
    /** Waits until it counts all of them. */
    ready(): Promise<void>;
  };
  /** Keeps a record of the entries, the index, close to the catalog. */
  readonly record: {
    /** The catalog's count of changes from which on `keep()` has work to do. */
    readonly dueAt: number;
    /** Writes the record if it is time. */
    keep(): void;
  };
  /**
   * Keeps a download of another process from being stored, and removes the note of the
   * key, whose handles are of the bytes before. Needs the lock.
   *
   * @throws The file system's error, with which nothing may be stored.
   */
  revoke(key: string): Promise<void>;
  /**
   * Uploads the new entry of a key later; undefined where there is no remote tier.
   *
   * @param replaces Whether the entry replaces another, which other hosts may have.
   */
  readonly upload:
    | ((key: string, size: number, replaces: boolean) => void)
    | undefined;
}

/** Commits bodies, within the budget. */
export class EntryWriter {
  readonly #parts: EntryWriterParts;
  readonly #steps: CommitSteps;

  constructor(parts: EntryWriterParts, steps: CommitSteps) {
    this.#parts = parts;
    this.#steps = steps;
  }

  /**
   * Makes a staged body the entry of its URL, in place of any, and evicts others to
   * make room. Never rejects: a disk fault is reported. The memory tier reads the bytes
   * back, unless `entersMemory` is false.
   *
   * @returns The file, held once, which the caller releases; undefined when the body
   * was not stored: then the staged file is still the caller's.
   */
  commitEntry(
    request: CommitRequest & { readonly entersMemory?: boolean },
  ): Promise<SharedFile | undefined> {
    const { store, files } = this.#parts;
    const { members, staged, entersMemory = true } = request;
    const key = keyOf(members.url);
    return this.#inTurn(key, request, async () => {
      const entry = await this.#commitStaged(key, request);
      if (entry === undefined) return undefined;
      const file = shareEntryFile(files, store, entry, staged.file);
      file.hold(true);
      if (entersMemory) await this.#keepInMemory(entry, file);
      return file;
    });
  }

  /**
   * Makes a staged body an entry, as {@linkcode EntryWriter.commitEntry} does, and its
   * `bytes` those of the memory tier.
   *
   * @returns True when the body was stored. The caller closes the staged file.
   */
  commitWhole(
    request: CommitRequest & { readonly bytes: Uint8Array },
  ): Promise<true | undefined> {
    const { catalog } = this.#parts;
    const { url } = request.members;
    const key = keyOf(url);
    return this.#inTurn(key, request, async () => {
      const entry = await this.#commitStaged(key, request);
      if (entry === undefined) return undefined;
      catalog.memory.keep(url, request.bytes);
      return true;
    });
  }

  /**
   * Makes small bytes an entry, as {@linkcode EntryWriter.commitEntry} does. Their files
   * are written before the turn, so that the lock of the directory is held for less time.
   *
   * @returns Whether they were stored.
   */
  async commitBytes(request: BytesRequest): Promise<boolean> {
    const { store, catalog, errors, writes } = this.#parts;
    const { members, bytes, isOwned } = request;
    const key = keyOf(members.url);
    const size = bytes.length;
    const storedAt = catalog.tick();
    const sidecar = { ...members, size, ts: storedAt / 1000 };
    const stage = () =>
      store.stageBytes(key, bytes, sidecar, storedAt, writes.seenPosition);
    let pair: StagedPair;
    try {
      if (!catalog.isComplete) await this.#steps.budget.ready();
      pair = await stage();
    } catch (error) {
      errors.report("write a put", error);
      return false;
    }
    const stagedAt = performance.now();
    const isStored = await this.#inTurn(key, request, async () => {
      if (performance.now() - stagedAt > RENEW_AFTER_MS) {
        await store.discardPair(pair);
        pair = await stage();
      }
      const entry = await this.#commit(
        { key, sidecar, storedAt },
        request,
        () => pair,
      );
      if (entry !== undefined && isOwned) catalog.memory.keep(entry.url, bytes);
      return entry !== undefined;
    });
    if (!isStored) await store.discardPair(pair);
    return isStored === true;
  }

  async #inTurn<T>(
    key: string,
    { wanted, isOutdated, revokes }: CommitTerms,
    commit: () => Promise<T>,
  ): Promise<T | undefined> {
    const { writes, catalog, errors } = this.#parts;
    try {
      if (!catalog.isComplete) await this.#steps.budget.ready();
      return await writes.withLock(async () => {
        if (wanted?.() === false || await isOutdated?.()) return undefined;
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
      const { record } = this.#steps;
      if (catalog.changes >= record.dueAt) record.keep();
    }
  }

  #commitStaged(
    key: string,
    request: CommitRequest,
  ): Promise<Entry | undefined> {
    const { store, catalog } = this.#parts;
    const { members, staged, size } = request;
    const storedAt = catalog.tick();
    const sidecar = { ...members, size, ts: storedAt / 1000 };
    return this.#commit(
      { key, sidecar, storedAt },
      request,
      () => store.complete(key, staged, sidecar, storedAt),
    );
  }

  /** Commits the pair that `complete` returns; undefined when there can't be room for it. */
  async #commit(
    { key, sidecar, storedAt }: {
      key: string;
      sidecar: Sidecar;
      storedAt: number;
    },
    { revokes = false, isRemote = false }: CommitTerms,
    complete: () => MaybePromise<StagedPair>,
  ): Promise<Entry | undefined> {
    const { store, catalog, files, leftovers, writes, eviction, removal } =
      this.#parts;
    const { url } = sidecar;
    const path = store.datPath(key);
    if (!await eviction.makeRoom(sidecar)) return undefined;
    await files.rescue(path);
    await writes.announce(key);
    // The old pair is about to change, so the catalog forgets it here.
    const old = catalog.peek(url);
    if (old !== undefined) catalog.forget(url);
    let pair: StagedPair;
    try {
      pair = await complete();
      await store.commit(key, pair, path);
    } catch (error) {
      const reason = "its commit has failed";
      await removal.restoreAfterFailure(key, old, reason);
      throw error;
    }
    const { state } = pair.json;
    const stamp = stampOf(state);
    const entry = entryOf(
      { ...sidecar, stamp, writtenMs: state.mtimeMs },
      key,
      pair.body.state,
    );
    entry.lastAccess = storedAt;
    entry.seenAtMs = Date.now();
    catalog.stored(entry);
    if (leftovers.count > 0) leftovers.forget(pairOf(key));
    const { upload } = this.#steps;
    if (upload !== undefined && !isRemote) upload(key, entry.size, revokes);
    return entry;
  }

  async #keepInMemory(
    { url, size }: Entry,
    file: SharedFile,
  ): Promise<void> {
    const { catalog: { memory }, errors } = this.#parts;
    if (!memory.admits(size)) return;
    try {
      memory.keep(url, await readAll(file, size));
    } catch (error) {
      errors.report("read an entry back", error);
    }
  }
}
