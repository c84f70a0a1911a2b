/** Above this many entries the less used half is forgotten. */
const MAX_KEYS = 2000;

/** How often each of the most used entries was hit. */
export class UseCounter {
  readonly #uses = new Map<string, number>();

  /** Uses of an entry, as far as they are remembered. */
  of(key: string): number {
    return this.#uses.get(key) ?? 0;
  }

  /** Counts a use. */
  add(key: string): void {
    this.#uses.set(key, this.of(key) + 1);
    if (this.#uses.size > MAX_KEYS) this.#halve();
  }

  /** Forgets an entry that is gone. */
  delete(key: string): void {
    this.#uses.delete(key);
  }

  #halve(): void {
    const byUse = [...this.#uses].sort(([, a], [, b]) => a - b);
    for (const [key] of byUse.slice(0, byUse.length / 2)) this.delete(key);
  }
}
