/** Keeps the first few of many items, in order, without sorting all of them. */
export class FirstFew<T> {
  readonly #max: number;
  readonly #compare: (a: T, b: T) => number;
  readonly #items: T[] = [];

  /** Keeps `max` items; `compare` is negative where `a` comes first. */
  constructor(max: number, compare: (a: T, b: T) => number) {
    this.#max = max;
    this.#compare = compare;
  }

  /** The items kept, in order. */
  get items(): readonly T[] {
    return this.#items;
  }

  /** Adds an item, behind its equals, if it is among the first. */
  add(item: T): void {
    let low = 0;
    for (let high = this.#items.length; low < high;) {
      const middle = (low + high) >> 1;
      const other = this.#items[middle];
      if (other !== undefined && this.#compare(other, item) <= 0) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    if (low >= this.#max) return;
    this.#items.splice(low, 0, item);
    if (this.#items.length > this.#max) this.#items.pop();
  }
}
