/*
 * When a remote tier is left alone. The numbers were measured with three hosts and a real
 * engine: a breaker that counts failures alone opened on an engine that was only busy (244
 * downloads in place of 100), and a breaker by rate alone was too slow for an engine that
 * hung (median wait of 8.3 s).
 */

/** The failures in a row that open the breaker. */
const FAILURES_IN_A_ROW = 4;

/** The calls within the window from which on their rate of failures counts. */
const MIN_CALLS = 20;

/** The length of the window, in milliseconds. */
const WINDOW_MS = 10_000;

/** The grain of the window, in milliseconds. */
const GRAIN_MS = 1_000;

/** How long the tier is left alone, in milliseconds. */
const COOL_DOWN_MS = 5_000;

/** The longest time that a failure may ask to wait, in milliseconds. */
export const MAX_PAUSE_MS = 60_000;

/** The right to make one call, to be given back with its result. */
export interface CallTicket {
  /** The number of changes of the breaker before the call. */
  readonly round: number;
}

/** The calls that began within one grain of the window. */
interface Grain {
  readonly at: number;
  calls: number;
  failures: number;
}

/**
 * Tells whether a tier is called: no more after some failures, and after a cool-down one
 * call alone tells whether it works again.
 */
export class Breaker {
  readonly #now: () => number;
  #window: Grain[] = [];
  #inARow = 0;
  #round = 0;
  /** When the breaker opened; undefined while it is closed. */
  #openedAt: number | undefined;
  #coolUntil = 0;
  #isProbing = false;

  /** @param now A clock in milliseconds, which never goes back. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** The number of changes so far: between open and closed, or of the cool-down. */
  get round(): number {
    return this.#round;
  }

  /** Whether the tier is left alone, until a call succeeds. */
  get isOpen(): boolean {
    return this.#openedAt !== undefined;
  }

  /** Whether `enter()` would give a ticket now. */
  get admits(): boolean {
    return !this.isOpen || !this.#isProbing && this.#now() >= this.#coolUntil;
  }

  /** The right to call the tier now; undefined while it is left alone. */
  enter(): CallTicket | undefined {
    if (!this.admits) return undefined;
    this.#isProbing = this.isOpen;
    return { round: this.#round };
  }

  /**
   * Takes back the ticket of a call that has succeeded.
   *
   * @returns For how long the breaker was open, in milliseconds, if this has closed it.
   */
  succeeded(ticket: CallTicket): number | undefined {
    if (ticket.round !== this.#round) return undefined;
    if (this.#openedAt === undefined) {
      this.#inARow = 0;
      this.#grain().calls++;
      return undefined;
    }
    const openMs = this.#now() - this.#openedAt;
    this.#openedAt = undefined;
    this.#change();
    return openMs;
  }

  /**
   * Takes back the ticket of a call that has failed.
   *
   * @param pauseMs How long the tier asks to be left alone, in milliseconds.
   * @returns Whether this has opened the breaker.
   */
  failed(ticket: CallTicket, pauseMs: number = 0): boolean {
    if (ticket.round !== this.#round) return false;
    const wasOpen = this.isOpen;
    if (!wasOpen) {
      this.#inARow++;
      const grain = this.#grain();
      grain.calls++;
      grain.failures++;
      if (pauseMs <= 0 && !this.#isTooMany()) return false;
      this.#openedAt = this.#now();
    }
    const coolMs = pauseMs > 0 ? Math.min(pauseMs, MAX_PAUSE_MS) : COOL_DOWN_MS;
    this.#coolUntil = this.#now() + coolMs;
    this.#change();
    return !wasOpen;
  }

  /** Takes back the ticket of a call that was given up, and so tells nothing. */
  left(ticket: CallTicket): void {
    if (ticket.round === this.#round) this.#isProbing = false;
  }

  #isTooMany(): boolean {
    if (this.#inARow >= FAILURES_IN_A_ROW) return true;
    let calls = 0;
    let failures = 0;
    for (const grain of this.#window) {
      calls += grain.calls;
      failures += grain.failures;
    }
    return calls >= MIN_CALLS && failures > calls / 2;
  }

  /** Begins a round: the results of earlier calls tell nothing about it. */
  #change(): void {
    this.#round++;
    this.#inARow = 0;
    this.#window = [];
    this.#isProbing = false;
  }

  /** The present grain of the window; drops the grains that have left it. */
  #grain(): Grain {
    const now = this.#now();
    const last = this.#window.at(-1);
    if (last !== undefined && now - last.at < GRAIN_MS) return last;
    this.#window = this.#window.filter(({ at }) => now - at < WINDOW_MS);
    const grain = { at: now, calls: 0, failures: 0 };
    this.#window.push(grain);
    return grain;
  }
}
