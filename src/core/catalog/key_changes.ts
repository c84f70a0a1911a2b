/** Watches an entry while the disk is asked for it. */
export interface Watch {
  /** Whether the entry has come or gone since; what was asked may be out of date. */
  readonly isDisturbed: boolean;
  /** Ends the watch. */
  end(): void;
}

/**
 * Those who ask the disk for an entry, and have yet to take in what it said. Which
 * entry is known before and after does not show whether one came and went between.
 */
export class Watches {
  readonly #watched = new Map<string, Set<{ isDisturbed: boolean }>>();

  /** Begins to watch the entry of a URL. */
  begin(url: string): Watch {
    const watches = this.#watched.get(url) ?? new Set();
    const watch = {
      isDisturbed: false,
      end: () => {
        watches.delete(watch);
        if (watches.size === 0) this.#watched.delete(url);
      },
    };
    this.#watched.set(url, watches.add(watch));
    return watch;
  }

  /** The entry of a URL comes or goes. */
  disturb(url: string): void {
    for (const watch of this.#watched.get(url) ?? []) watch.isDisturbed = true;
  }
}
