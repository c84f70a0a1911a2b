/** A clock that the test moves, and timers that the test fires. */
export class StillClock implements Disposable {
  readonly #real = {
    now: Date.now,
    setTimeout: globalThis.setTimeout,
    clearTimeout: globalThis.clearTimeout,
    unrefTimer: Deno.unrefTimer,
  };
  readonly #timers = new Map<number, { at: number; run: () => unknown }>();
  #last = 0;
  #now = this.#real.now();

  /** Stops the clock. */
  constructor() {
    Date.now = () => this.#now;
    Object.assign(globalThis, {
      setTimeout: (run: () => unknown, waitMs: number) => {
        this.#timers.set(++this.#last, { at: this.#now + waitMs, run });
        return this.#last;
      },
      clearTimeout: (timer: number) => this.#timers.delete(timer),
    });
    Deno.unrefTimer = () => {};
  }

  /** The time, in milliseconds since the epoch. */
  get now(): number {
    return this.#now;
  }

  /** Sets the clock forward; timers do not notice. */
  advance(ms: number): void {
    this.#now += ms;
  }

  /** Lets time pass, and waits for the work of timers meanwhile. */
  async pass(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      const [next] = [...this.#timers]
        .filter(([, { at }]) => at <= end)
        .sort(([, a], [, b]) => a.at - b.at);
      if (next === undefined) break;
      const [timer, { at, run }] = next;
      this.#timers.delete(timer);
      this.#now = Math.max(this.#now, at);
      await run();
    }
    this.#now = end;
  }

  /** Drops all timers, as if their process were killed. */
  dropTimers(): void {
    this.#timers.clear();
  }

  /** Restores the real clock and timers. */
  [Symbol.dispose](): void {
    const { now, setTimeout, clearTimeout, unrefTimer } = this.#real;
    Date.now = now;
    Object.assign(globalThis, { setTimeout, clearTimeout });
    Deno.unrefTimer = unrefTimer;
  }
}
