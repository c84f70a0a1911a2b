import { HttpStatusError } from "../api/errors.ts";
import type { ResolvedRemoteLimits } from "../api/remote_option.ts";
import { Semaphore } from "../async/semaphore.ts";
import { startIdleTimer, startTimer } from "../async/timer.ts";
import { untilAborted } from "../async/until_aborted.ts";
import type { EventHub } from "../reporting/event_hub.ts";
import { errorFacts, failureReason } from "../text/failure_reason.ts";
import { Breaker, type CallTicket, MAX_PAUSE_MS } from "./breaker.ts";
import type { RemoteCounters } from "./remote_counters.ts";
import { RemoteTimeout } from "./remote_timeout.ts";

/** The result of a call: the value, or why there is none. */
export type RemoteOutcome<T> = { readonly value: T } | "skipped" | "failed";

/** How a call is limited. */
export interface RemoteCallOptions {
  /** The longest time, with the wait for a free request, in milliseconds. */
  readonly timeoutMs: number;
  /** Ends the call; its reason is thrown. */
  readonly signal?: AbortSignal;
  /** Limits the calls at a time, in place of the slots of lookups. */
  readonly slots?: Semaphore;
  /**
   * Whether nobody waits for the call: its time does not keep the process alive, and a
   * call that runs goes on when the tier goes down.
   */
  readonly isBackground?: boolean;
  /**
   * Called when the tier refuses the call; the refusal then tells nothing about other calls.
   */
  readonly onRefused?: () => void;
}

/** Calls a remote tier within limits, and leaves it alone after failures. */
export class RemoteCalls {
  readonly #breaker: Breaker;
  readonly #slots: Semaphore;
  readonly #hub: EventHub;
  readonly #counters: RemoteCounters;
  /** Ends calls when the cache is closed. */
  readonly #closing = new AbortController();
  readonly #running = new Set<Promise<unknown>>();
  /** Ends calls that somebody waits for when the tier is down. */
  readonly #waiting = new Set<AbortController>();

  /** @param breaker Tells whether the tier is called. */
  constructor(
    limits: Pick<ResolvedRemoteLimits, "maxConcurrentLookups">,
    hub: EventHub,
    counters: RemoteCounters,
    breaker: Breaker = new Breaker(),
  ) {
    this.#breaker = breaker;
    this.#slots = new Semaphore(limits.maxConcurrentLookups);
    this.#hub = hub;
    this.#counters = counters;
  }

  /** Whether the tier is left alone, until a call succeeds. */
  get isDown(): boolean {
    return this.#breaker.isOpen;
  }

  /** Changes when the tier goes down or comes back. */
  get round(): number {
    return this.#breaker.round;
  }

  /** Whether a call would be made now. */
  get admits(): boolean {
    return !this.isClosed && this.#breaker.admits;
  }

  /** Whether no call is made any more. */
  get isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  /**
   * Makes a call. Never rejects but with the reason of its signal.
   *
   * @param task Calls the tier; what it still does after its signal is aborted is ignored.
   * @throws {unknown} The reason of `options.signal`.
   */
  run<T>(
    task: (signal: AbortSignal) => Promise<T>,
    options: RemoteCallOptions,
  ): Promise<RemoteOutcome<T>> {
    const call = this.#run(task, options);
    this.#running.add(call);
    const forget = () => this.#running.delete(call);
    call.then(forget, forget);
    return call;
  }

  /**
   * Counts a failure outside a call: an object broke while it was received.
   */
  failed(error: unknown): void {
    const ticket = this.#breaker.isOpen ? undefined : this.#breaker.enter();
    this.#count(error);
    if (ticket !== undefined) this.#fail(ticket, error);
  }

  /** Waits for the calls that run now. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#running);
  }

  /** Ends all calls; later ones are skipped. Idempotent. */
  close(): void {
    this.#closing.abort(new DOMException("The cache is closed", "AbortError"));
  }

  async #run<T>(
    task: (signal: AbortSignal) => Promise<T>,
    options: RemoteCallOptions,
  ): Promise<RemoteOutcome<T>> {
    const { timeoutMs, signal, slots = this.#slots } = options;
    signal?.throwIfAborted();
    if (!this.admits) return "skipped";
    const limit = new AbortController();
    const start = options.isBackground ? startIdleTimer : startTimer;
    const stopTimer = start(
      timeoutMs,
      () => limit.abort(new RemoteTimeout("answer", timeoutMs)),
    );
    const onAbort = () => limit.abort(signal?.reason);
    const onClose = () => limit.abort(this.#closing.signal.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    if (!options.isBackground) this.#waiting.add(limit);
    this.#closing.signal.addEventListener("abort", onClose, { once: true });
    let leave: (() => void) | undefined;
    try {
      leave = await acquired(slots, limit.signal);
      signal?.throwIfAborted();
      if (leave === undefined) return "skipped";
      return await this.#call(task, limit.signal, options);
    } finally {
      leave?.();
      stopTimer();
      this.#waiting.delete(limit);
      signal?.removeEventListener("abort", onAbort);
      this.#closing.signal.removeEventListener("abort", onClose);
    }
  }

  async #call<T>(
    task: (signal: AbortSignal) => Promise<T>,
    limit: AbortSignal,
    { signal, onRefused }: RemoteCallOptions,
  ): Promise<RemoteOutcome<T>> {
    const ticket = this.#breaker.enter();
    if (ticket === undefined) return "skipped";
    try {
      // Called in an async function: a tier may also throw, or return no promise.
      const answer = (async () => await task(limit))();
      const value = await untilAborted(answer, limit);
      const downMs = this.#breaker.succeeded(ticket);
      if (downMs !== undefined) this.#hub.emit({ type: "remoteUp", downMs });
      return { value };
    } catch (error) {
      const isLate = limit.reason instanceof RemoteTimeout;
      if (limit.aborted && !isLate) {
        this.#breaker.left(ticket);
        signal?.throwIfAborted();
        return "skipped";
      }
      const cause = isLate ? limit.reason : error;
      this.#count(cause);
      if (onRefused !== undefined && isRefusal(cause)) {
        this.#breaker.left(ticket);
        onRefused();
      } else this.#fail(ticket, cause);
      return "failed";
    }
  }

  #count(error: unknown): void {
    this.#counters.errors++;
    if (error instanceof RemoteTimeout) this.#counters.timeouts++;
  }

  #fail(ticket: CallTicket, error: unknown): void {
    const isOpened = this.#breaker.failed(ticket, pauseOf(error));
    if (!isOpened) return;
    this.#hub.emit({ type: "remoteDown", reason: reasonOf(error) });
    // To wait for the same tier any longer would be in vain.
    const down = new DOMException("The remote tier is down", "AbortError");
    for (const limit of this.#waiting) limit.abort(down);
  }
}

/** Why a call has failed. Messages but those of the cache and of Deno may hold a secret. */
function reasonOf(error: unknown): string {
  const isSafe = error instanceof RemoteTimeout ||
    error instanceof Deno.errors.NotCapable;
  return isSafe ? error.message : failureReason(errorFacts(error));
}

/** Waits for a turn; undefined when the signal is aborted before. */
async function acquired(
  slots: Semaphore,
  signal: AbortSignal,
): Promise<(() => void) | undefined> {
  try {
    return await slots.acquire(signal);
  } catch {
    return undefined;
  }
}

/** Whether a tier that works has refused what was asked: 408 and 429 tell of the tier itself. */
function isRefusal(error: unknown): boolean {
  const { status = 0 } = errorFacts(error);
  return status >= 400 && status < 500 && status !== 408 && status !== 429;
}

/** How long a failure asks to wait, in milliseconds: 401 and 403 need a person. */
function pauseOf(error: unknown): number {
  const { status } = errorFacts(error);
  if (status === 401 || status === 403) return MAX_PAUSE_MS;
  const retryAfterMs = error instanceof HttpStatusError
    ? error.retryAfterMs
    : undefined;
  return Number.isNaN(retryAfterMs) ? 0 : retryAfterMs ?? 0;
}
