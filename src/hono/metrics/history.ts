import type { CacheStats } from "../../core/api/stats.ts";

/** The stats at one time. */
export interface Sample {
  /** When the stats were read, in milliseconds since the epoch. */
  readonly time: number;
  /** The stats. */
  readonly stats: CacheStats;
}

/** Length of a step of time, in milliseconds. */
const STEP_MS = 2000;

/** Samples of one hour. */
const MAX_SAMPLES = 1800;

/**
 * Keeps samples of the stats: the last state of each step of time in which
 * something happened. A step without a sample equals the step before. There is
 * no timer: each event and each request takes a sample, in a quarter of a
 * microsecond. With fewer, the last events of a burst would count in the next
 * step.
 */
export class History {
  readonly #read: () => CacheStats;
  readonly #samples: Sample[];
  #latest: Sample;

  /** Creates a history with its first sample. */
  constructor(read: () => CacheStats, now: number = Date.now()) {
    this.#read = read;
    this.#latest = { time: now, stats: read() };
    this.#samples = [this.#latest]; // the state before any event
  }

  /** Takes a sample, in place of an earlier sample of the same step. */
  look(now: number = Date.now()): void {
    if (stepOf(now) !== stepOf(this.#latest.time)) {
      this.#samples.push(this.#latest);
      if (this.#samples.length > MAX_SAMPLES) this.#samples.shift();
    }
    this.#latest = { time: now, stats: this.#read() };
  }

  /** Returns all samples, oldest first, the last as of now. */
  samples(now: number = Date.now()): [Sample, ...Sample[]] {
    this.look(now);
    const [first, ...rest] = [...this.#samples, this.#latest];
    return [first ?? this.#latest, ...rest];
  }
}

function stepOf(time: number): number {
  return Math.floor(time / STEP_MS);
}
