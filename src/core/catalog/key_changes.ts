/** The state of a key that is being changed or looked at. */
interface KeyState {
  /** How often its entry has come, gone, or begun to change. */
  version: number;
  /** How many changes have begun. */
  begun: number;
  /** How many changes and looks run. */
  users: number;
  /** The change that runs, if any: its end, once a look waits for it. */
  change: { ended?: PromiseWithResolvers<void> } | undefined;
}

/** So often a look is repeated that found nothing because of a change. */
const MAX_LOOKS = 3;

/**
 * A version for each key that is being changed or looked at in this process. A look
 * at the disk takes several steps, and the catalog before and after does not show
 * whether an entry has come and gone in between: a look that overlapped a change is
 * not taken into the catalog, and if it found nothing it looks again.
 */
export class KeyChanges {
  readonly #keys = new Map<string, KeyState>();

  /**
   * Begins to change the entry of a key, one change at a time: the sidecar of an
   * entry that is replaced is missing for a moment, so looks wait for the end.
   *
   * @returns Ends the change; to be called once.
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

  /** Notes that the entry of a key has come or gone. */
  note(key: string): void {
    const state = this.#keys.get(key);
    if (state !== undefined) state.version++;
  }

  /**
   * Looks at the entry of a key, after the end of any change.
   *
   * @param look Called again if it found nothing and a change has begun meanwhile.
   * `isCurrent` tells whether the entry has neither come nor gone since it began.
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
