import type { GetOrDownloadOptions } from "../api/call_options.ts";
import { DownloadTimeoutError, MediaCacheError } from "../api/errors.ts";
import type { DownloadInfo } from "../api/download.ts";
import type { RevalidatedEvent } from "../api/events.ts";
import { digestOfFile } from "../bodies/digest.ts";
import { type Entry, storedAtOf } from "../catalog/entry.ts";
import type { DiskFile } from "../disk/disk_file.ts";
import type { Sidecar } from "../disk/sidecar.ts";
import type { CallerLink } from "../download/caller_links.ts";
import { Callers } from "../download/callers.ts";
import { ClaimTurns } from "../download/claim_turns.ts";
import type {
  DownloadListener,
  DownloadParts,
  DownloadTask,
  Revalidated,
} from "../download/download_parts.ts";
import { FollowDeadline } from "../download/follow_deadline.ts";
import { FollowedDownload } from "../download/followed_download.ts";
import { OwnDownload } from "../download/own_download.ts";
import { lastValidators } from "../notes/note.ts";
import type { NoteStore } from "../notes/note_store.ts";
import type { Claim } from "../sharing/download_claims.ts";
import { errorFacts, failureReason } from "../text/failure_reason.ts";
import {
  conditionsOf,
  nextValidators,
  type OriginValidators,
} from "../text/origin_conditions.ts";

/** The status of an origin whose bytes are still the same (RFC 9110 §15.4.5). */
const NOT_MODIFIED = 304;

/** The parts of the cache that revalidations work on. */
export interface RevalidationParts extends DownloadParts {
  /** Tell all processes when an entry was confirmed. */
  readonly notes: NoteStore;
}

/** The end of a check. */
export interface RevalidationEnd {
  /** The outcome. */
  readonly result: RevalidatedEvent["result"];
  /** Why the check has failed. */
  readonly reason?: string | undefined;
  /** When the bytes were confirmed, if they were. */
  readonly validatedAt?: number | undefined;
}

/**
 * A running check of an entry, shared by all callers that want it younger. It downloads as
 * any download does, with the conditions of the entry, and hands nothing out: what has come
 * takes the place of the entry when it is whole, or never. Callers hold the old bytes.
 */
export class Revalidation implements DownloadListener {
  /** The end of the check; never rejects. */
  readonly ended: Promise<RevalidationEnd>;
  /** The callers that share the check. */
  readonly callers: Callers<RevalidationEnd>;
  /** Whether other bytes are still to be stored. */
  mayStore = true;
  /** No failure is retried: the old bytes serve. */
  readonly retries = 0;
  readonly #parts: RevalidationParts;
  readonly #old: Entry;
  readonly #knownAt: number | undefined;
  readonly #task: DownloadTask;
  #download: OwnDownload | undefined;
  /** The sidecar of the old entry. */
  #sidecar: Sidecar | undefined;
  /** The validators that have come with the same bytes. */
  #validators: OriginValidators | undefined;
  /** Whether the check goes on without a caller. */
  #isBehind = false;
  /** Why other bytes can't be stored. */
  #uncached: string | undefined;

  /**
   * Starts the check.
   *
   * @param old The entry.
   * @param knownAt When the entry was confirmed, as far as this cache knows.
   * @param first The link of the caller that starts the check.
   */
  constructor(
    parts: RevalidationParts,
    old: Entry,
    knownAt: number | undefined,
    first: CallerLink,
  ) {
    this.#parts = parts;
    this.#old = old;
    this.#knownAt = knownAt;
    const revalidated: Revalidated = {
      conditions: new Headers(),
      isSame: async (size, sha256, validators) => {
        const isSame = await this.#isOriginal(size, sha256);
        if (isSame) this.#validators = validators;
        return isSame;
      },
      isStored: async () =>
        await parts.store.bodyIdentity(old.key) !== undefined,
    };
    this.#task = {
      url: old.url,
      key: old.key,
      startedAt: Date.now(),
      started: performance.now(),
      controller: new AbortController(),
      slot: parts.slots.add(() => this.#endAbandoned()),
      link: first,
      phase: "waiting",
      listener: this,
      revalidated,
    };
    this.callers = new Callers(parts, this.#task);
    this.ended = this.#run();
  }

  /** The start of the check. */
  get info(): Pick<DownloadInfo, "startedAt"> {
    return { startedAt: this.#task.startedAt };
  }

  /**
   * Waits for the end, as a caller that needs the answer.
   *
   * @param link The caller's link, tried if the origin refuses those before.
   * @throws {MediaCacheError} If the check waits for the caller.
   * @throws The reason of the caller's signal.
   */
  async wait(
    options: GetOrDownloadOptions,
    link: CallerLink,
  ): Promise<RevalidationEnd> {
    const leave = this.callers.join(options, link);
    try {
      return await this.callers.wait(options, link, () => this.#onLeft());
    } finally {
      leave();
    }
  }

  /**
   * Lets the check go on without a caller that waits: downloads that are waited for go first.
   *
   * @param accept The types that its caller accepts.
   */
  goBehind(accept: readonly string[] | undefined): void {
    this.#isBehind = true;
    this.callers.accept(accept);
    const { slot } = this.#task;
    slot.leaveFirst?.();
    this.#parts.slots.abandon(slot);
  }

  /** Ends the check: the entry was deleted, and other bytes must not be stored. */
  detach(): void {
    this.mayStore = false;
    this.#download?.giveUp();
    this.abort(new DOMException("The entry was deleted", "AbortError"));
  }

  /** Ends the check; its callers get the old bytes. */
  abort(reason: unknown): void {
    this.#task.controller.abort(reason);
  }

  /** Picks the link of another caller if the origin refuses one; else throws the error. */
  onRefused(link: CallerLink, error: unknown): CallerLink {
    const next = this.callers.nextLink(link, error);
    if (next === undefined) throw error;
    return next;
  }

  /** Ends the check if no caller accepts a type: the old bytes then stay. */
  refuse(mimetype: string): void {
    const refusal = this.callers.refusalOf(mimetype);
    if (refusal !== undefined) this.abort(refusal);
  }

  /** Hands nothing out: callers look the new entry up when it is stored. */
  onHandout(): void {}

  /** Reports the progress to callers. */
  onProgress(received: number, total: number | undefined): void {
    this.callers.progress(received, total);
  }

  /** Ends the check: a body without a place on disk has no reader here. */
  onUncached(reason: string): void {
    this.#uncached = reason;
    this.abort(new MediaCacheError(`Cannot revalidate: not stored: ${reason}`));
  }

  /** Reports that the staged file can't be read. */
  onFault(error: unknown): void {
    this.#parts.errors.report("read a download", error);
  }

  /** Called when the body is received; `ended` tells the rest. */
  onEnded(): void {}

  /** Called for a reader; there is none. */
  onServed(): void {}

  /** Called when the body has no reader; there never is one. */
  onAbandoned(): void {}

  async #run(): Promise<RevalidationEnd> {
    let end: RevalidationEnd;
    try {
      end = await this.#check();
    } catch (error) {
      const reason = this.#uncached === undefined
        ? failureReason(errorFacts(error))
        : `not stored: ${this.#uncached}`;
      end = { result: "failed", reason };
    }
    const { slots, counters, hub } = this.#parts;
    slots.leave(this.#task.slot);
    const { result, reason } = end;
    if (result === "notModified" || result === "same") counters.revalidated++;
    const { url, key, mimetype, filename, size } = this.#old;
    const durationMs = performance.now() - this.#task.started;
    const facts = { url, key, mimetype, filename, size, durationMs };
    hub.emit({ type: "revalidated", result, reason, ...facts });
    return end;
  }

  /** Lets all callers go on; called by the owner once it knows the end. */
  release(end: RevalidationEnd): void {
    this.callers.resolve(() => end);
  }

  /** Asks the origin, or waits for the process that does. */
  async #check(): Promise<RevalidationEnd> {
    const { slots, claims } = this.#parts;
    const { url, key, slot, controller: { signal } } = this.#task;
    const turns = new ClaimTurns(this.#parts, url, key);
    for (;;) {
      if (!slots.tryTake(slot)) await slots.wait(slot, signal);
      const claim = await turns.claim(this.mayStore);
      if (claim.role !== "follow") return await this.#lead(claim);
      slots.leave(slot);
      await this.#follow(claim.file);
      const end = await this.#lookAgain();
      if (end !== undefined) return end;
      // A process removes the name of its download at its end, unless it was killed.
      if (!await claims.isClaimed(key)) {
        const reason = "the check of another process has failed";
        return { result: "failed", reason };
      }
    }
  }

  /**
   * Waits for the end of the check of another process.
   *
   * @throws {DownloadTimeoutError} If it is silent for too long: the old bytes serve.
   */
  async #follow(file: DiskFile): Promise<void> {
    const { options } = this.#parts;
    const deadline = new FollowDeadline(options, this.#task.controller);
    const download = new FollowedDownload(
      this.#parts,
      this.#task,
      file,
      deadline,
    );
    try {
      const end = await download.run();
      const lost = "lost" in end ? end.lost : undefined;
      if (lost instanceof DownloadTimeoutError) throw lost;
    } finally {
      deadline.stop();
      download.close();
    }
  }

  /** Asks the origin as the process that has the claim. */
  async #lead(
    claim: Exclude<Claim, { role: "follow" }>,
  ): Promise<RevalidationEnd> {
    const { store } = this.#parts;
    const { key } = this.#task;
    const before = await store.bodyIdentity(key);
    const download = new OwnDownload(this.#parts, this.#task, claim, before);
    this.#download = download;
    try {
      return await this.#lookAgain() ?? await this.#ask(download, before);
    } catch (error) {
      await download.fail(error);
      throw error;
    } finally {
      await download.close();
      this.#download = undefined;
    }
  }

  /** The end of the check of another process, if there was one since this one began. */
  async #lookAgain(): Promise<RevalidationEnd | undefined> {
    const { store, notes } = this.#parts;
    const { key } = this.#task;
    const now = await store.bodyIdentity(key);
    if (now !== undefined && now !== this.#old.identity) {
      return { result: "replaced" };
    }
    const validatedAt = (await notes.read(key))?.validatedAt;
    return validatedAt === undefined || validatedAt === this.#knownAt
      ? undefined
      : { result: "notModified", validatedAt };
  }

  async #ask(
    download: OwnDownload,
    before: number | undefined,
  ): Promise<RevalidationEnd> {
    const { store, notes } = this.#parts;
    const { key, controller: { signal }, revalidated } = this.#task;
    signal.throwIfAborted();
    const sidecar = this.#sidecar = await this.#readSidecar();
    const known = sidecar && lastValidators(await notes.read(key), sidecar);
    const conditions = conditionsOf(known ?? {});
    for (const [name, value] of conditions) {
      revalidated?.conditions.set(name, value);
    }
    // The time of the request: bytes that are put meanwhile are younger than that.
    const validatedAt = Date.now();
    let result: RevalidationEnd["result"];
    try {
      const isStored = await download.run();
      if (isStored) return { result: "replaced" };
      if (this.#validators === undefined) {
        return await this.#lookAgain() ??
          { result: "failed", reason: "not stored" };
      }
      result = "same";
    } catch (error) {
      const isConditional = [...conditions].length > 0;
      const { status } = errorFacts(error);
      if (!isConditional || status !== NOT_MODIFIED) throw error;
      result = "notModified";
    }
    const now = await store.bodyIdentity(key);
    // Put by a caller meanwhile, or else evicted: that entry needs no note.
    if (now !== undefined && now !== before) return { result: "replaced" };
    if (now !== undefined) {
      // An answer 304 leaves them: each tag that was sent names the stored bytes, and another
      // strong tag updates nothing stored (RFC 9111 section 4.3.4).
      const validators = sidecar && known && this.#validators && {
        ...nextValidators(this.#validators, known, sidecar),
        ts: sidecar.ts,
      };
      await notes.change(key, (note) => ({
        ...note,
        validatedAt,
        ...(validators !== undefined && { validators }),
      }));
    }
    return { result, validatedAt };
  }

  /** The sidecar of the entry; undefined if it is that of another by now, or can't be read. */
  async #readSidecar(): Promise<Sidecar | undefined> {
    const { store, errors } = this.#parts;
    try {
      const sidecar = await store.readSidecar(this.#task.key);
      if (sidecar === undefined || "reason" in sidecar) return undefined;
      const isOld = storedAtOf(sidecar.ts) === this.#old.storedAt;
      return isOld ? sidecar : undefined;
    } catch (error) {
      errors.report("read a sidecar", error);
      return undefined;
    }
  }

  /** Whether these are the bytes that the origin had sent for the entry, before a conversion. */
  async #isOriginal(size: number, sha256: string): Promise<boolean> {
    const known = this.#sidecar;
    if (known?.sourceMimetype !== undefined) {
      return known.sourceSha256 === sha256;
    }
    if (size !== this.#old.size) return false;
    const old = known?.sha256 ?? await this.#digestOfOld();
    return old === sha256;
  }

  /** The digest of a body whose sidecar has none; undefined if it can't be read. */
  async #digestOfOld(): Promise<string | undefined> {
    const { store, errors } = this.#parts;
    const { key, identity, size } = this.#old;
    try {
      using file = await store.openBody(key);
      return file.identity === identity
        ? await digestOfFile(file, size)
        : undefined;
    } catch (error) {
      errors.report("read an entry", error);
      return undefined;
    }
  }

  /** Called when a caller waits no more. */
  #onLeft(): void {
    if (this.callers.count > 0 || this.#isBehind) return;
    const { slots, options } = this.#parts;
    slots.abandon(this.#task.slot);
    if (options.whenAbandoned === "abort") this.#endAbandoned();
  }

  #endAbandoned(): true {
    this.abort(new DOMException("The download was abandoned", "AbortError"));
    return true;
  }
}
