import type { CacheStats } from "../../core/api/stats.ts";

/** The stats at a time. */
export interface Sample {
  /** In milliseconds since the epoch. */
  readonly time: number;
  /** What they were. */
  readonly stats: CacheStats;
}

/** How long one sample stands for, in milliseconds. */
const STEP_MS = 2000;

/** One hour. */
const MAX_SAMPLES = 1800;

/**
 * Samples of the stats, the last one of each step of time in which something
 * happened. It keeps no timer: events and requests say when to look, and at each
 * it does, in a quarter of a microsecond, or the last ones of a burst would count
 * as of the next. Steps without a sample are like the one before.
 */
export class History {
  readonly #read: () => CacheStats;
  readonly #samples: Sample[];
  #latest: Sample;

  /** Takes the first sample. */
  constructor(read: () => CacheStats, now: number = Date.now()) {
    this.#read = read;
    this.#latest = { time: now, stats: read() };
    this.#samples = [this.#latest]; // what was before any event
  }

  /** Something may have changed. */
  look(now: number = Date.now()): void {
    if (stepOf(now) !== stepOf(this.#latest.time)) {
      this.#samples.push(this.#latest);
      if (this.#samples.length > MAX_SAMPLES) this.#samples.shift();
    }
    this.#latest = { time: now, stats: this.#read() };
  }

  /** All samples, oldest first, the last one as of now. */
  samples(now: number = Date.now()): [Sample, ...Sample[]] {
    this.look(now);
    const [first, ...rest] = [...this.#samples, this.#latest];
    return [first ?? this.#latest, ...rest];
  }
}

function stepOf(time: number): number {
  return Math.floor(time / STEP_MS);
}
