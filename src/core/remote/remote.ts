import type { EntryInfo } from "../api/entry_info.ts";
import type { ResolvedOptions } from "../api/options.ts";
import type { ResolvedRemote } from "../api/remote_option.ts";
import type { RemoteEntry, RemoteStats } from "../api/remote_tier.ts";
import { untilAborted } from "../async/until_aborted.ts";
import type { PairStore } from "../disk/pair_store.ts";
import type { Peek } from "../entries/peek.ts";
import type { EventHub } from "../reporting/event_hub.ts";
import { ChangePoll } from "./change_poll.ts";
import { Deletions } from "./deletions.ts";
import { Leases } from "./leases.ts";
import { RemoteCalls, type RemoteOutcome } from "./remote_calls.ts";
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

/** The downloads, uploads and wrong objects that are remembered; the newest are kept. */
const MAX_REMEMBERED = 1_024;

/** The start of a download, and its store, in milliseconds since the epoch. */
interface Begun {
  /** The signal of the download, by which it is told from others of its key. */
  readonly signal: AbortSignal;
  readonly startedAt: number;
  /** Infinity while it runs. */
  readonly storedAt: number;
}

/** An object that was uploaded. */
interface Sent {
  /** SHA-256 of its bytes. */
  readonly sha256: string;
  /** When the download of its bytes began, or they were stored, in milliseconds since the epoch. */
  readonly startedAt: number;
  /** When its upload ended, in milliseconds since the epoch; 0 once that was undone. */
  readonly sentAt: number;
}

/** The effect of a change here: "failed" where the entry may have to go, and is still there. */
export type ChangeEnd = "dropped" | "none" | "failed";

/**
 * Drops the entry of a key if it is older than the change; never rejects.
 *
 * @param changedAt The time of the change, in milliseconds since the epoch.
 */
export type DropChanged = (
  key: string,
  changedAt: number,
) => Promise<ChangeEnd>;

/** The work of a cache with its remote tier: lookups, uploads, deletions, leases. */
export class Remote {
  /** Counts the work. */
  readonly counters: RemoteCounters = new RemoteCounters();
  readonly #remote: ResolvedRemote;
  readonly #calls: RemoteCalls;
  readonly #lookup: RemoteLookup;
  readonly #uploads: Uploads;
  readonly #deletions: Deletions;
  readonly #changes: ChangePoll;
  readonly #leases: Leases;
  readonly #mayChange: boolean;
  /** The downloads that began last, by key: the bytes that they store are as old as that. */
  readonly #begun = new Map<string, Begun>();
  /** The last uploads, by key. */
  readonly #sent = new Map<string, Sent>();
  /** The keys of wrong objects that this cache may not delete. */
  readonly #wrong = new Map<string, true>();
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
        maxAgeMs: options.maxAgeMs ?? Infinity,
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
        onStored: (key, { storedAt, sha256 }) => {
          this.#leases.done(key);
          const startedAt = this.startOf({ key, storedAt });
          remember(this.#sent, key, { startedAt, sentAt: Date.now(), sha256 });
        },
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
      (key) => this.#dropUpload(key),
    );
    this.#changes = new ChangePoll(remote, calls, async (key, changedAt) => {
      this.#wrong.delete(key);
      const end = await drop(key, changedAt);
      if (end === "dropped") counters.changesApplied++;
      // A cache that may delete nothing would try again for ever.
      return end !== "failed" || options.readOnly;
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
   * Finds the object of a key, for a download that begins.
   *
   * @throws {unknown} The reason of the signal.
   */
  async find(key: string, signal: AbortSignal): Promise<LookupResult> {
    this.begin(key, signal);
    // The object there is older than what was done here.
    const isOld = this.#deletions.has(key) || this.#uploads.isReplacing(key);
    return isOld || this.#wrong.has(key)
      ? "unknown"
      : await this.#lookup.find(key, signal);
  }

  /** Notes that a download begins. */
  begin(key: string, signal: AbortSignal): void {
    const times = { startedAt: Date.now(), storedAt: Infinity };
    remember(this.#begun, key, { signal, ...times });
  }

  /**
   * Waits until this host may download, or for the object of the host that does.
   *
   * @throws {unknown} The reason of the signal.
   */
  turn(key: string, signal: AbortSignal): Promise<LookupResult> {
    return this.#leases.turn(key, signal);
  }

  /**
   * Ends a download, and its turn if it has stored nothing.
   *
   * @param signal The signal of the download.
   */
  ended(key: string, signal: AbortSignal, isStored: boolean): void {
    const begun = this.#begun.get(key);
    if (begun?.signal === signal) {
      if (!isStored) this.#begun.delete(key);
      else remember(this.#begun, key, { ...begun, storedAt: Date.now() });
    }
    if (!isStored) this.#leases.release(key, signal);
  }

  /**
   * Gives the lease of a download back, which runs on and stores nothing.
   *
   * @param signal The signal of the download.
   */
  giveBack(key: string, signal: AbortSignal): void {
    this.#leases.release(key, signal);
  }

  /**
   * Uploads an entry that was stored here.
   *
   * @param replaces Whether it has replaced another.
   */
  upload(key: string, size: number, replaces: boolean): void {
    if (!this.#mayChange) return;
    const wasDeleted = this.#deletions.forget(key);
    this.#uploads.add(key, size, replaces || wasDeleted);
  }

  /** When the download of an entry had begun, or else when the entry was stored, in milliseconds since the epoch. */
  startOf(entry: Pick<EntryInfo, "key" | "storedAt">): number {
    const { startedAt = Infinity } = this.#begunOf(entry) ?? {};
    return Math.min(startedAt, entry.storedAt);
  }

  /**
   * Deletes an object after its entry was deleted here. From the call on no download here
   * gets it; what fails is tried again later.
   *
   * @param deleteEntry Deletes the entry.
   * @returns The result of `deleteEntry`.
   */
  async deleteAfter<T>(key: string, deleteEntry: () => Promise<T>): Promise<T> {
    if (!this.#mayChange) return await deleteEntry();
    this.#deletions.hold(key);
    try {
      return await deleteEntry();
    } finally {
      await this.#deletions.delete(key);
    }
  }

  /** Begins to look for changes by other hosts, if that has not begun. */
  start(): void {
    this.#changes.start();
  }

  /**
   * Ends an upload of bytes that are older than a change by another host, and deletes the
   * object if one has ended since: it may have taken the place of what that host has left.
   *
   * @param isOld Whether a download that began at that time, in milliseconds since the
   * epoch, is older than the change.
   * @param since The earliest time of the change, in milliseconds since the epoch.
   */
  async undoUpload(
    key: string,
    isOld: (time: number) => boolean,
    since: number,
  ): Promise<void> {
    await this.#dropUpload(
      key,
      ({ storedAt }) => isOld(this.startOf({ key, storedAt })),
    );
    const sent = this.#sent.get(key);
    if (sent === undefined || !isOld(sent.startedAt)) return;
    if (sent.sentAt < since) return;
    remember(this.#sent, key, { ...sent, sentAt: 0 });
    const outcome = await this.#factsOf(key);
    // An object that another host has put there since stays.
    const isOther = typeof outcome !== "string" &&
      outcome.value?.sha256 !== sent.sha256;
    if (!isOther) this.#deletions.add(key);
  }

  /**
   * Whether the tier has an entry as it is here, and not from an upload of this cache.
   *
   * @param since The time from which on this cache may have uploaded it, in milliseconds since the epoch.
   */
  async isShared(entry: EntryInfo, since: number): Promise<boolean> {
    const { key, sha256, mimetype, filename } = entry;
    const sent = this.#sent.get(key);
    const isOwn = sent?.sha256 === sha256 && (sent?.sentAt ?? 0) >= since;
    if (isOwn || this.#uploads.has(key) || sha256 === undefined) return false;
    const outcome = await this.#factsOf(key);
    if (typeof outcome === "string") return false;
    const facts = outcome.value;
    return facts?.sha256 === sha256 && facts.mimetype === mimetype &&
      facts.filename === filename;
  }

  /**
   * Whether another process on this directory may have stored an entry after a change, and
   * still uploads it: this cache has neither downloaded nor uploaded the entry.
   *
   * @param changedAt The time of the change, in milliseconds since the epoch.
   */
  awaitsUpload(entry: EntryInfo, changedAt: number): boolean {
    const { key, sha256 } = entry;
    const isOwn = this.#begunOf(entry) !== undefined ||
      this.#uploads.has(key) || this.#sent.get(key)?.sha256 === sha256;
    const ageMs = Date.now() - changedAt;
    const { uploadTimeoutMs } = this.#remote.limits;
    return !isOwn && ageMs >= 0 && ageMs < uploadTimeoutMs;
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

  /** The download here that has stored an entry. */
  #begunOf(
    { key, storedAt }: Pick<EntryInfo, "key" | "storedAt">,
  ): Begun | undefined {
    const begun = this.#begun.get(key);
    // A later entry of the key has nothing to do with that download.
    const isOf = begun !== undefined && Math.floor(storedAt) <= begun.storedAt;
    return isOf ? begun : undefined;
  }

  /** The facts of an object, without its bytes. */
  #factsOf(key: string): Promise<RemoteOutcome<RemoteEntry | undefined>> {
    const { tier, limits: { lookupTimeoutMs: timeoutMs } } = this.#remote;
    return this.#calls.run(async (limit) => {
      const object = await tier.get(key, limit);
      object?.body.cancel().catch(() => {});
      return object?.entry;
    }, { timeoutMs, isBackground: true });
  }

  /** Ends the upload of a key: `Uploads.drop()`. */
  async #dropUpload(
    key: string,
    isMeant?: (entry: RemoteEntry) => boolean,
  ): Promise<void> {
    const wasUploaded = this.#uploads.has(key);
    await this.#uploads.drop(key, isMeant);
    // Else other hosts would wait for an object that does not come.
    if (wasUploaded && !this.#uploads.has(key)) this.#leases.release(key);
  }

  #stop(): void {
    this.#changes.close();
    this.#deletions.close();
    this.#uploads.close();
    this.#calls.close();
  }

  /** Deletes an object with wrong bytes, so that no host reads them; else asks for it no more. */
  #onWrong(key: string): void {
    if (this.#mayChange) this.#deletions.add(key);
    else remember(this.#wrong, key, true);
  }
}

/** Remembers a value as the newest; forgets the oldest if there are too many. */
function remember<T>(values: Map<string, T>, key: string, value: T): void {
  values.delete(key);
  values.set(key, value);
  if (values.size <= MAX_REMEMBERED) return;
  for (const oldest of values.keys()) {
    values.delete(oldest);
    break;
  }
}
