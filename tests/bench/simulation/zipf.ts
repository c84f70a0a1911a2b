/**
 * Random ranks by Zipf's law. Walker's alias method: two look-ups a rank, whatever the
 * number of ranks.
 */
export class Zipf {
  readonly #share: Float64Array;
  readonly #alias: Int32Array;

  /** Ranks from 0 to `count` - 1, of weight 1 / (rank + 1) ** exponent. */
  constructor(count: number, exponent: number) {
    const weights = Float64Array.from(
      { length: count },
      (_, rank) => (rank + 1) ** -exponent,
    );
    const mean = weights.reduce((sum, each) => sum + each, 0) / count;
    this.#share = weights.map((each) => each / mean);
    this.#alias = new Int32Array(count);
    const small: number[] = [];
    const large: number[] = [];
    for (let rank = 0; rank < count; rank++) {
      (this.#at(rank) < 1 ? small : large).push(rank);
    }
    let poor: number | undefined;
    let rich: number | undefined;
    while ((poor = small.pop()) !== undefined) {
      if ((rich = large.pop()) === undefined) {
        this.#share[poor] = 1; // no rich rank is left: the rest is a rounding error
        continue;
      }
      this.#alias[poor] = rich;
      this.#share[rich] = this.#at(rich) + this.#at(poor) - 1;
      (this.#at(rich) < 1 ? small : large).push(rich);
    }
  }

  /** A random rank. */
  pick(fraction: () => number): number {
    const place = fraction() * this.#share.length;
    const rank = Math.floor(place);
    return place - rank < this.#at(rank) ? rank : this.#alias[rank] ?? 0;
  }

  #at(rank: number): number {
    return this.#share[rank] ?? 0;
  }
}
