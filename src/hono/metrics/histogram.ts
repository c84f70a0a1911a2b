/** How often values fell below each of a few bounds, and their sum. */
export class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;

  /** An empty histogram; the bounds ascend, and infinity is implied. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Array(bounds.length + 1).fill(0);
  }

  /** The sum of all values. */
  get sum(): number {
    return this.#sum;
  }

  /** The cumulative counts: how many values are at most each bound, the last for infinity. */
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
