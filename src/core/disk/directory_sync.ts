/**
 * Which changes of names in the directory are sure to survive a power cut. A disk
 * may keep them in another order than they were made in, so where the order
 * matters the directory is synced in between. An entry that is new needs that
 * once, at its end; one that takes the place of another needs it more often, or
 * a new body could come back beside the sidecar of the old.
 */
export class DirectorySync {
  readonly #syncDirectory: (() => Promise<void>) | undefined;
  readonly #unsure = new Set<string>();
  // What an earlier process did may not be sure either.
  #isAnySure = false;

  /** Syncs by that function; without one nothing needs to be sure. */
  constructor(syncDirectory: (() => Promise<void>) | undefined) {
    this.#syncDirectory = syncDirectory;
  }

  /** A name of that key was changed. */
  dirty(key: string): void {
    if (this.#syncDirectory !== undefined) this.#unsure.add(key);
  }

  /** Makes sure of all that was done to the names of a key. */
  async flush(key: string): Promise<void> {
    if (this.#isAnySure && !this.#unsure.has(key)) return;
    await this.sync();
  }

  /** Makes sure of all. */
  async sync(): Promise<void> {
    if (this.#syncDirectory === undefined) return;
    const keys = [...this.#unsure];
    await this.#syncDirectory();
    this.#isAnySure = true;
    for (const key of keys) this.#unsure.delete(key);
  }
}
