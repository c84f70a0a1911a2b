/** Above this number of entries the less used half is forgotten. */
const MAX_KEYS = 2000;

/** Counts the hits of the most used entries. */
export class UseCounter {
  readonly #uses = new Map<string, number>();

  /** Returns the uses of an entry, where remembered. */
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
