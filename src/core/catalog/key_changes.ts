/** The state of a key during changes and looks. */
interface KeyState {
  /** How often the entry was added, removed, or began to change. */
  version: number;
  /** The number of changes that have begun. */
  begun: number;
  /** The number of running changes and looks. */
  users: number;
  /** The running change; `ended` is made by the first look that waits for its end. */
  change: { ended?: PromiseWithResolvers<void> } | undefined;
}

/** The most looks of a call: a look that finds nothing is repeated if a change came between. */
const MAX_LOOKS = 3;

/**
 * Keeps a version of each key that is being changed or looked at in this process. A look
 * at the disk takes several steps, and the catalog before and after does not show
 * whether an entry was added and removed in between. A look that overlapped a change is
 * not taken into the catalog; if it found nothing, the look is repeated.
 */
export class KeyChanges {
  readonly #keys = new Map<string, KeyState>();

  /**
   * Begins a change of a key; the caller makes one at a time. During a replacement the
   * sidecar is missing for a moment, so looks wait for the end of the change.
   *
   * @returns A function that ends the change; call it once.
   */
  begin(key: string): () => void {
    const state = this.#enter(key);
    const change: KeyState["change"] = {};
    state.version++;
    state.begun++;
    state.change = change;
    return () => {
      state.change = undefined;
      change.ended?.resolve();
      this.#leave(key, state);
    };
  }

  /** Whether the entry of a key is being changed. */
  isChanging(key: string): boolean {
    return this.#keys.get(key)?.change !== undefined;
  }

  /** Notes that the entry of a key was added or removed. */
  note(key: string): void {
    const state = this.#keys.get(key);
    if (state !== undefined) state.version++;
  }

  /**
   * Looks at the entry of a key, after the end of any change.
   *
   * @param look Called again if it found nothing and a change has begun meanwhile.
   * `isCurrent` is true while the entry was neither added nor removed since the look
   * began.
   */
  async look<T>(
    key: string,
    look: (isCurrent: () => boolean) => Promise<T>,
  ): Promise<T> {
    const state = this.#enter(key);
    try {
      for (let looks = 1;; looks++) {
        while (state.change !== undefined) {
          await (state.change.ended ??= Promise.withResolvers()).promise;
        }
        const { version, begun } = state;
        const found = await look(() => state.version === version);
        const isSure = found || state.begun === begun;
        if (isSure || looks === MAX_LOOKS) return found;
      }
    } finally {
      this.#leave(key, state);
    }
  }

  #enter(key: string): KeyState {
    let state = this.#keys.get(key);
    if (state === undefined) {
      state = { version: 0, begun: 0, users: 0, change: undefined };
      this.#keys.set(key, state);
    }
    state.users++;
    return state;
  }

  #leave(key: string, state: KeyState): void {
    if (--state.users === 0) this.#keys.delete(key);
  }
}
