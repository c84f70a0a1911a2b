/*
 * Slots, declared here: at most `maxConcurrentDownloads` downloads run at a time.
 *
 * - **Holds**: a download that somebody wants (a caller or `put()` waits for it, or a
 *   Media of it is unread or being read), from its start to its commit. Others wait, first
 *   come, first served.
 * - **Yields**: an abandoned download keeps its slot until a wanted download needs it,
 *   and then goes on without. When more than `maxConcurrentDownloads` go on so, the one
 *   without a byte for longest is aborted, unless other processes follow it. An abandoned
 *   download that has not begun lets the wanted ones go first.
 * - **Needs none**: a download that waits for its readers, follows another process, waits
 *   for the lease of another host, or converts a GIF.
 * - **Goes on at once**, above the limit if no slot is free: a download whose readers read
 *   on, that has converted, or that is wanted again. It runs already: to wait would stop
 *   readers in the middle of a body. No other download starts above the limit.
 * - **Lends**: a download lends its slot to the downloads that its downloader, or the body
 *   that it gave, waits for; to one at a time, also to one that was waiting before; the
 *   others wait. At its end the slot passes to the borrower. A borrower lends in turn.
 *   While one of these waits, `idleTimeoutMs` does not run for the lender.
 * - **Circle**: downloader A calls for B, and B waits for A: that call is refused at
 *   once. A downloader counts as waiting for all downloads that it has called for, until
 *   it settles. The circle may lead through several caches of this process; a circle
 *   through another process ends by `idleTimeoutMs`.
 *
 * Slots are counted, not handed around: abandoned downloads have those that no wanted
 * download uses.
 */
import type { AsyncLocalStorage } from "node:async_hooks";
import { MediaCacheError } from "../api/errors.ts";

/** A call of a downloader that waits for another download. */
interface NestedCall {
  readonly caller: DownloadSlot;
  readonly callee: DownloadSlot;
}

/** How a download stands to the slots. Only `isAsking` is changed outside `DownloadSlots`. */
export interface DownloadSlot {
  /** The slots that it is one of. */
  readonly pool: DownloadSlots;
  /** Ends the abandoned download; false if it goes on for other processes. */
  readonly end: () => boolean;
  /** `own` counts for the limit; `lent` is that of the lender; `none` does not run, or needs no slot. */
  use: "none" | "waiting" | "own" | "lent" | "abandoned";
  /** Whether a caller or reader wants the download. */
  isWanted: boolean;
  /** The place of its last byte in the order of all bytes; orders downloads by their silence. */
  heardAt: number;
  /** Whether its downloader runs, and so waits for what it calls. */
  isAsking: boolean;
  /** The calls of its downloader and body; undefined unless these run. */
  calls: Set<NestedCall> | undefined;
  /** The calls that wait for it. */
  callers: Set<NestedCall> | undefined;
  /** The download whose slot it has. */
  lender: DownloadSlot | undefined;
  /** The download that has its slot. */
  borrower: DownloadSlot | undefined;
  /** Ends the wait for a slot. */
  onStart: (() => void) | undefined;
  /** To be called when the caller that started the download waits no more; see `enter()`. */
  leaveFirst: (() => void) | undefined;
}

/** Tells which download's downloader or body runs; made with the first download. */
let running: AsyncLocalStorage<DownloadSlot> | undefined;

/** Limits the downloads of a cache that run at the same time. */
export class DownloadSlots {
  readonly #max: number;
  /** The number of slots with `use: "own"`. */
  #used = 0;
  #heard = 0;
  readonly #abandoned = new Set<DownloadSlot>();
  /** Wanted downloads that wait. */
  readonly #waiting = new Set<DownloadSlot>();
  /** Abandoned downloads that wait. */
  readonly #waitingLast = new Set<DownloadSlot>();

  /** @param max How many downloads may run at the same time. */
  constructor(max: number) {
    this.#max = max;
  }

  /** Makes the slot of a download that a caller wants, and that does not run yet. */
  add(end: () => boolean): DownloadSlot {
    const slot: DownloadSlot = {
      pool: this,
      end,
      use: "none",
      isWanted: true,
      heardAt: 0,
      isAsking: false,
      calls: undefined,
      callers: undefined,
      lender: undefined,
      borrower: undefined,
      onStart: undefined,
      leaveFirst: undefined,
    };
    const isNested = running?.getStore()?.calls !== undefined;
    if (isNested) slot.leaveFirst = this.enter(slot, "download");
    return slot;
  }

  /**
   * Gives a download a slot, if there is one.
   *
   * @param isRunning Whether the download runs already: it gets a slot above the limit.
   */
  tryTake(slot: DownloadSlot, isRunning = false): boolean {
    const lender = slot.isWanted && slot.callers !== undefined
      ? this.#lenderOf(slot.callers)
      : undefined;
    const taken = slot.isWanted
      ? this.#used
      : this.#used + this.#abandoned.size;
    if (lender === undefined && !isRunning && taken >= this.#max) return false;
    this.#waiting.delete(slot);
    this.#waitingLast.delete(slot);
    slot.heardAt = ++this.#heard;
    if (lender !== undefined) {
      lender.borrower = slot;
      slot.lender = lender;
      slot.use = "lent";
    } else if (slot.isWanted) {
      this.#used++;
      slot.use = "own";
    } else {
      this.#abandoned.add(slot);
      slot.use = "abandoned";
    }
    slot.onStart?.();
    if (this.#abandoned.size > this.#max) this.#endSilent();
    return true;
  }

  /**
   * Waits for a slot.
   *
   * @throws {unknown} The signal's reason, if it is or becomes aborted before.
   */
  async wait(slot: DownloadSlot, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort);
    slot.onStart = resolve;
    slot.use = "waiting";
    (slot.isWanted ? this.#waiting : this.#waitingLast).add(slot);
    try {
      await promise;
    } catch (error) {
      this.leave(slot);
      throw error;
    } finally {
      slot.onStart = undefined;
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Gives the slot back: the download has ended, or needs none for a while. Idempotent. */
  leave(slot: DownloadSlot): void {
    const { use, lender, borrower } = slot;
    if (use === "none") return;
    slot.use = "none";
    slot.lender = slot.borrower = undefined;
    if (use === "waiting") {
      this.#waiting.delete(slot);
      this.#waitingLast.delete(slot);
    }
    if (use === "own") this.#used--;
    if (use === "abandoned") this.#abandoned.delete(slot);
    if (lender !== undefined) lender.borrower = borrower;
    if (borrower !== undefined) {
      borrower.lender = lender;
      if (lender === undefined) {
        this.#used++;
        borrower.use = "own";
      }
    }
    const { size } = this.#waiting;
    if (lender !== undefined || size + this.#waitingLast.size > 0) {
      this.#startWaiting(lender);
    }
  }

  /** Takes a slot again after `leave()`, if need be above the limit. */
  resume(slot: DownloadSlot): void {
    if (slot.use === "none" && this.tryTake(slot, true)) {
      this.#startWaiting(slot);
    }
  }

  /** Lets wanted downloads have the slot: the last caller or reader has left. Idempotent. */
  abandon(slot: DownloadSlot): void {
    if (!slot.isWanted) return;
    slot.isWanted = false;
    const { use, lender } = slot;
    if (use === "none") return;
    if (use === "waiting") {
      this.#waiting.delete(slot);
      this.#waitingLast.add(slot);
      return;
    }
    if (use === "own") this.#used--;
    if (lender !== undefined) lender.borrower = undefined;
    slot.lender = undefined;
    slot.use = "abandoned";
    this.#abandoned.add(slot);
    this.#startWaiting(lender);
    if (this.#abandoned.size > this.#max) this.#endSilent();
  }

  /** Counts the download among the wanted again. Idempotent. */
  #want(slot: DownloadSlot): void {
    if (slot.isWanted) return;
    slot.isWanted = true;
    if (slot.use === "waiting") {
      this.#waitingLast.delete(slot);
      this.#waiting.add(slot);
      this.tryTake(slot);
    } else if (slot.use === "abandoned") {
      this.#abandoned.delete(slot);
      this.#used++;
      slot.use = "own";
    }
  }

  /** Notes that a byte has come. */
  hear(slot: DownloadSlot): void {
    slot.heardAt = ++this.#heard;
  }

  /** Runs the downloader of a download and receives its body; calls in it are nested. */
  async run<T>(slot: DownloadSlot, receive: () => Promise<T>): Promise<T> {
    if (running === undefined) {
      const { AsyncLocalStorage } = await import("node:async_hooks");
      running ??= new AsyncLocalStorage();
    }
    slot.calls = new Set();
    try {
      return await running.run(slot, receive);
    } finally {
      // The downloader may run on: from here on its calls are not nested.
      for (const call of slot.calls) call.callee.callers?.delete(call);
      slot.calls = undefined;
    }
  }

  /**
   * Counts the download among the wanted, and notes that the caller waits for it, if the
   * caller is a downloader.
   *
   * @param action What the caller wants, for the error.
   * @returns A function to call when the caller waits no more.
   * @throws {MediaCacheError} If the download waits for the caller.
   */
  enter(
    callee: DownloadSlot,
    action: "download" | "put",
  ): (() => void) | undefined {
    const caller = running?.getStore();
    if (caller?.isAsking === true && waitsFor(callee, caller)) {
      throw new MediaCacheError(
        `Cannot ${action}: a downloader must not wait for its own download: ` +
          "received a URL whose download waits for this downloader",
      );
    }
    this.#want(callee);
    if (caller?.calls === undefined) return undefined;
    const call = { caller, callee };
    caller.calls.add(call);
    (callee.callers ??= new Set()).add(call);
    if (callee.use === "waiting") callee.pool.tryTake(callee);
    return () => {
      caller.calls?.delete(call);
      callee.callers?.delete(call);
    };
  }

  /** Whether a call of the downloader, or a call of what that waits for, waits for a slot. */
  isHeldBack(slot: DownloadSlot): boolean {
    return slot.calls !== undefined &&
      waitedFor(slot).values().some(({ use }) => use === "waiting");
  }

  /** A download that can lend its slot: its downloader or body waits for this one. */
  #lenderOf(callers: Set<NestedCall>): DownloadSlot | undefined {
    return callers.values().map(({ caller }) => caller)
      .find((caller) => this.#mayLend(caller));
  }

  #mayLend({ pool, use, calls, borrower }: DownloadSlot): boolean {
    return pool === this && calls !== undefined && borrower === undefined &&
      use !== "none" && use !== "waiting";
  }

  /** Starts downloads that wait; those that wait for `lender` first. */
  #startWaiting(lender: DownloadSlot | undefined): void {
    for (const { callee } of lender?.calls ?? []) {
      if (callee.use === "waiting" && callee.pool === this) {
        this.tryTake(callee);
      }
    }
    for (const queue of [this.#waiting, this.#waitingLast]) {
      for (const slot of queue) if (!this.tryTake(slot)) break;
    }
  }

  /** Aborts those abandoned downloads without a slot that are too many. */
  #endSilent(): void {
    const bySilence = [...this.#abandoned]
      .sort((one, other) => one.heardAt - other.heardAt);
    for (const slot of bySilence) {
      const { size } = this.#abandoned;
      const slotless = Math.min(size, this.#used + size - this.#max);
      if (slotless <= this.#max) return;
      if (slot.end()) this.leave(slot);
    }
  }
}

/** Whether a download waits for another, by the calls of downloaders. */
function waitsFor(slot: DownloadSlot, other: DownloadSlot): boolean {
  return waitedFor(slot, true).has(other);
}

/**
 * A download and all downloads that it waits for, by the calls of downloaders, and of the
 * bodies that they gave unless `onlyAsking`.
 */
function waitedFor(slot: DownloadSlot, onlyAsking = false): Set<DownloadSlot> {
  const seen = new Set([slot]);
  for (const each of seen) {
    if (onlyAsking && !each.isAsking) continue;
    for (const { callee } of each.calls ?? []) seen.add(callee);
  }
  return seen;
}
