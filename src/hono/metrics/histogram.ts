/** Counts values at or below each of a few bounds, and their sum. */
export class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;

  /** Creates an empty histogram. The bounds ascend; infinity is added. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Array(bounds.length + 1).fill(0);
  }

  /** The sum of all values. */
  get sum(): number {
    return this.#sum;
  }

  /**
   * The cumulative counts: the number of values at or below each bound, the
   * last bound being infinity.
   */
  get buckets(): { bound: number; count: number }[] {
    let count = 0;
    return this.#counts.map((each, i) => ({
      bound: this.#bounds[i] ?? Infinity,
      count: count += each,
    }));
  }

  /** Adds a value. */
  observe(value: number): void {
    let i = 0;
    while (i < this.#bounds.length && value > (this.#bounds[i] ?? 0)) i++;
    this.#counts[i] = (this.#counts[i] ?? 0) + 1;
    this.#sum += value;
  }
}
