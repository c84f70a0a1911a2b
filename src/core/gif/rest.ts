const FIRST_MS = 60_000;
const LONGEST_MS = 3_600_000;

/**
 * How long a program that does not work is left alone: for a minute, then for twice as long each
 * time, and for an hour at most.
 */
export class Rest {
  #waitMs = FIRST_MS;
  #endsAt = -Infinity;

  /** Whether the program is to be left alone now. */
  get isOn(): boolean {
    return performance.now() < this.#endsAt;
  }

  /** The program does not work: begins a rest, and returns its length in milliseconds. */
  begin(): number {
    const waitMs = this.#waitMs;
    this.#endsAt = performance.now() + waitMs;
    this.#waitMs = Math.min(2 * waitMs, LONGEST_MS);
    return waitMs;
  }

  /** The program works: ends the rest, and the next one is short again. */
  end(): void {
    this.#waitMs = FIRST_MS;
    this.#endsAt = -Infinity;
  }
}
