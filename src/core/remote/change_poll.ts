import type { ResolvedRemote } from "../api/remote_option.ts";
import type { RemoteChange } from "../api/remote_tier.ts";
import { startIdleInterval } from "../async/timer.ts";
import { KEY_REGEXP } from "../text/key.ts";
import type { RemoteCalls } from "./remote_calls.ts";

/**
 * Called with the key of a change, and its time in milliseconds since the epoch.
 *
 * @returns Whether the change needs no other attempt.
 */
export type OnChange = (key: string, changedAt: number) => Promise<boolean>;

/**
 * Learns from the tier which entries other hosts have deleted or replaced. The first look is
 * at the first use of the cache.
 */
export class ChangePoll {
  readonly #remote: ResolvedRemote;
  readonly #calls: RemoteCalls;
  readonly #onChange: OnChange;
  #stopTimer: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #after: string | undefined;
  #isClosed = false;

  /** @param onChange Called for each change, one after the other; never rejects. */
  constructor(
    remote: ResolvedRemote,
    calls: RemoteCalls,
    onChange: OnChange,
  ) {
    this.#remote = remote;
    this.#calls = calls;
    this.#onChange = onChange;
  }

  /** Starts to look, if that has not begun. */
  start(): void {
    const { tier, limits } = this.#remote;
    const isDone = this.#stopTimer !== undefined || this.#isClosed;
    if (isDone || tier.changes === undefined) return;
    this.#stopTimer = startIdleInterval(
      limits.changesEveryMs,
      () => this.#look(),
    );
    this.#look();
  }

  /** Ends the looks. */
  close(): void {
    this.#isClosed = true;
    this.#stopTimer?.();
  }

  /** Waits for the look that runs. */
  async settled(): Promise<void> {
    await this.#running;
  }

  #look(): void {
    if (this.#running !== undefined || this.#calls.isDown) return;
    this.#running = this.#poll().finally(() => this.#running = undefined);
  }

  async #poll(): Promise<void> {
    const { tier, limits } = this.#remote;
    const outcome = await this.#calls.run(
      async (limit) => {
        const answer = await tier.changes?.(this.#after, limit);
        // Looked at here: an answer of another shape is a failure of the tier.
        if (!answer) return undefined;
        return { next: answer.next, changes: usable(answer.changes) };
      },
      { timeoutMs: limits.idleTimeoutMs, isBackground: true },
    );
    if (typeof outcome === "string" || outcome.value === undefined) return;
    const { changes, next } = outcome.value;
    const now = Date.now();
    let isDone = true;
    for (const { key, ageMs } of changes) {
      if (this.#isClosed) return;
      isDone = await this.#onChange(key, now - ageMs) && isDone;
    }
    // Else the next look finds the changes again, and tries once more.
    if (isDone) this.#after = next;
  }
}

/** The changes that name a key and a time. */
function usable(changes: readonly RemoteChange[]): RemoteChange[] {
  return changes.filter(({ key, ageMs }) =>
    KEY_REGEXP.test(key) && Number.isFinite(ageMs)
  );
}
