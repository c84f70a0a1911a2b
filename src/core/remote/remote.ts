import type { ResolvedOptions } from "../api/options.ts";
import type { ResolvedRemote } from "../api/remote_option.ts";
import type { RemoteChange, RemoteStats } from "../api/remote_tier.ts";
import { untilAborted } from "../async/until_aborted.ts";
import type { PairStore } from "../disk/pair_store.ts";
import type { Peek } from "../entries/peek.ts";
import type { EventHub } from "../reporting/event_hub.ts";
import { ChangePoll } from "./change_poll.ts";
import { Deletions } from "./deletions.ts";
import { Leases } from "./leases.ts";
import { RemoteCalls } from "./remote_calls.ts";
import { RemoteCounters } from "./remote_counters.ts";
import { type LookupResult, RemoteLookup } from "./remote_lookup.ts";
import { UploadSource } from "./upload_source.ts";
import { Uploads } from "./uploads.ts";

/** The parts of the cache that a {@linkcode Remote} works on. */
export interface RemoteParts {
  /** The cache's options. */
  readonly options: ResolvedOptions;
  /** The files of the directory. */
  readonly store: PairStore;
  /** Looks at entries and changes nothing. */
  readonly peek: Peek;
  /** Emits events. */
  readonly hub: EventHub;
}

/** Drops the entry of a key if it is older than the change; never rejects. */
export type DropChanged = (change: RemoteChange) => Promise<boolean>;

/** The work of a cache with its remote tier: lookups, uploads, deletions, leases. */
export class Remote {
  /** Counts the work. */
  readonly counters = new RemoteCounters();
  readonly #remote: ResolvedRemote;
  readonly #calls: RemoteCalls;
  readonly #lookup: RemoteLookup;
  readonly #uploads: Uploads;
  readonly #deletions: Deletions;
  readonly #changes: ChangePoll;
  readonly #leases: Leases;
  readonly #mayChange: boolean;
  readonly #aborted = new AbortController();

  /**
   * @param remote The tier and its limits.
   * @param drop Drops an entry that another host has deleted or replaced.
   */
  constructor(remote: ResolvedRemote, parts: RemoteParts, drop: DropChanged) {
    const { options, hub } = parts;
    const { counters } = this;
    const { limits } = remote;
    this.#remote = remote;
    this.#mayChange = !limits.readOnly && !options.readOnly;
    const calls = this.#calls = new RemoteCalls(limits, hub, counters);
    this.#lookup = new RemoteLookup(
      remote,
      calls,
      counters,
      {
        maxBytes: options.maxDownloadBytes,
        // Before the download itself would end by its own limit.
        idleTimeoutMs: Math.min(
          limits.idleTimeoutMs,
          options.idleTimeoutMs / 2,
        ),
        takesConverted: options.gifToMp4 !== undefined,
      },
      (key) => this.#onWrong(key),
    );
    this.#uploads = new Uploads(
      remote,
      new UploadSource(parts),
      calls,
      counters,
      {
        deleted: (key) => this.#deletions.settled(key),
        onStored: (key) => this.#leases.done(key),
        onGivenUp: (key, replaces) => {
          this.#leases.release(key);
          // Other hosts must not serve the bytes that were replaced here.
          if (replaces) this.#deletions.add(key);
        },
      },
    );
    this.#deletions = new Deletions(
      remote,
      calls,
      (key) => this.#uploads.drop(key),
    );
    this.#changes = new ChangePoll(remote, calls, async (change) => {
      if (await drop(change)) counters.changesApplied++;
    });
    const mayUpload = this.#mayChange && options.maxEntryBytes > 0;
    this.#leases = new Leases(
      remote,
      calls,
      counters,
      mayUpload,
      (key, signal) => this.#lookup.find(key, signal),
    );
  }

  /** A snapshot of the work so far. */
  get stats(): RemoteStats {
    return {
      name: this.#remote.tier.name,
      state: this.#calls.isDown ? "down" : "up",
      lease: this.#leases.state,
      ...this.counters,
      uploadsQueued: this.#uploads.count,
    };
  }

  /** Whether a download may have to wait for that of another host. */
  get usesLeases(): boolean {
    return this.#leases.isUsed;
  }

  /**
   * Finds the object of a key.
   *
   * @throws {unknown} The reason of the signal.
   */
  async find(key: string, signal: AbortSignal): Promise<LookupResult> {
    this.#changes.start();
    // The object there is older than what was done here.
    const isOld = this.#deletions.has(key) || this.#uploads.isReplacing(key);
    return isOld ? "unknown" : await this.#lookup.find(key, signal);
  }

  /**
   * Waits until this host may download, or for the object of the host that does.
   *
   * @throws {unknown} The reason of the signal.
   */
  turn(key: string, signal: AbortSignal): Promise<LookupResult> {
    return this.#leases.turn(key, signal);
  }

  /** Ends the turn of a download that has stored nothing. */
  endTurn(key: string): void {
    this.#leases.release(key);
  }

  /**
   * Uploads an entry that was stored here.
   *
   * @param replaces Whether it has replaced another.
   */
  upload(key: string, size: number, replaces: boolean): void {
    if (!this.#mayChange) return;
    this.#changes.start();
    const wasDeleted = this.#deletions.forget(key);
    this.#uploads.add(key, size, replaces || wasDeleted);
  }

  /** Deletes an object; what fails is tried again later. Never rejects. */
  async delete(key: string): Promise<void> {
    if (this.#mayChange) await this.#deletions.delete(key);
  }

  /** Lets uploads and deletions end, and closes the tier. Never rejects. */
  async close(): Promise<void> {
    await this.#uploads.settled();
    await this.#deletions.drain();
    this.#stop();
    await this.#changes.settled();
    await this.#calls.settled();
    // Called in an async function: a tier may also throw, or return no promise.
    const closed = (async () => await this.#remote.tier.close?.())();
    await untilAborted(closed, this.#aborted.signal).catch(() => {});
  }

  /** Ends all that runs; `close()` then waits for the tier no more. Idempotent. */
  abort(): void {
    this.#stop();
    this.#aborted.abort();
  }

  #stop(): void {
    this.#changes.close();
    this.#deletions.close();
    this.#uploads.close();
    this.#calls.close();
  }

  /** Deletes an object with wrong bytes, so that no other host reads them. */
  #onWrong(key: string): void {
    if (this.#mayChange) this.#deletions.add(key);
  }
}
