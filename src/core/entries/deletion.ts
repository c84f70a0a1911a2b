import type { OpenCalls } from "../async/open_calls.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { DiskErrors } from "../reporting/disk_errors.ts";
import type { PairStore } from "../disk/pair_store.ts";
import type { EventHub } from "../reporting/event_hub.ts";
import { keyOf } from "../text/key.ts";
import type { Leftovers } from "./leftovers.ts";
import { pairOf } from "../disk/file_names.ts";
import type { Removal } from "./removal.ts";
import { Pacer } from "../async/pacer.ts";
import type { WriteTurns } from "./write_turns.ts";

/** The parts of the cache that a {@linkcode Deletion} works on. */
export interface DeletionParts {
  /** The files of the directory. */
  readonly store: PairStore;
  /** The known entries. */
  readonly catalog: Catalog;
  /** The known leftovers. */
  readonly leftovers: Leftovers;
  /** Removes entries. */
  readonly removal: Removal;
  /** Turns for changes of names in the directory. */
  readonly writes: WriteTurns;
  /** Counts the calls that use the disk. */
  readonly calls: OpenCalls;
  /** Emits events. */
  readonly hub: EventHub;
  /** Counts and reports disk errors. */
  readonly errors: DiskErrors;
}

/** The steps of a deletion that other rooms do: loader, index, notes and download claims. */
export interface DeletionSteps {
  /** Waits for the end of a load that has begun; never rejects. */
  settled(): Promise<void>;
  /** Scans the directory for entries that no list of changes has named. */
  discover(): Promise<void>;
  /** Removes the index, which names deleted entries. */
  forgetIndex(): Promise<void>;
  /**
   * Keeps a download of another process from being stored, and removes the note of the
   * key. Needs the lock.
   */
  revoke(key: string): Promise<void>;
  /** Removes the notes of all keys. Never rejects. */
  clearNotes(): Promise<void>;
  /** The keys that processes download. */
  claimed(): Promise<string[]>;
}

/** Answers `delete()` and `clear()`. */
export class Deletion {
  readonly #parts: DeletionParts;
  readonly #steps: DeletionSteps;
  readonly #readOnly: boolean;

  /** A `readOnly` cache deletes nothing. */
  constructor(
    parts: DeletionParts,
    steps: DeletionSteps,
    readOnly: boolean,
  ) {
    this.#parts = parts;
    this.#steps = steps;
    this.#readOnly = readOnly;
  }

  /** Deletes the entry of a URL; true when there was one. */
  delete(url: string): Promise<boolean> {
    return this.deleteByKey(keyOf(url), url);
  }

  /**
   * Deletes the entry of a key; true when there was one.
   *
   * @param url The URL of the key, if there is an entry.
   * @param reason Why it was dropped, if nobody has called for its deletion here.
   */
  deleteByKey(
    key: string,
    url: string | undefined,
    reason?: string,
  ): Promise<boolean> {
    const { calls, store, writes, errors } = this.#parts;
    return calls.run(async () => {
      try {
        await store.prepare();
        if (this.#readOnly) return false;
        return await writes.withLock(() => this.#delete(key, url, reason));
      } catch (error) {
        errors.report("delete an entry", error);
        return false;
      }
    });
  }

  /** Deletes all entries, also those that this process does not know yet. */
  clear(): Promise<void> {
    const { calls, store, writes, errors } = this.#parts;
    return calls.run(async () => {
      await this.#steps.settled();
      await this.#deleteKnown();
      try {
        await store.prepare();
        for (const key of await this.#steps.claimed()) {
          await writes.withLock(() => this.#steps.revoke(key));
        }
        await this.#steps.discover();
      } catch (error) {
        errors.report("list the directory", error);
      }
      await this.#deleteKnown();
      await this.#steps.clearNotes();
      await this.#steps.forgetIndex();
    });
  }

  async #deleteKnown(): Promise<void> {
    const pacer = new Pacer();
    for (const { url } of this.#parts.catalog.snapshot().newestFirst()) {
      await this.delete(url);
      if (pacer.due) await pacer.yield();
    }
  }

  async #delete(
    key: string,
    url: string | undefined,
    reason: string | undefined,
  ): Promise<boolean> {
    const { catalog, leftovers, removal, hub } = this.#parts;
    await this.#steps.revoke(key);
    if (url === undefined) return false;
    const known = catalog.peek(url);
    const failure = "it could not be deleted";
    const removed = await removal.remove(url, key, { failure });
    leftovers.forget(pairOf(key));
    if (!removed && known === undefined) return false;
    const size = known?.size ?? 0;
    if (reason === undefined) hub.emit({ type: "deleted", url, key, size });
    else hub.emit({ type: "dropped", url, key, reason });
    return true;
  }
}
