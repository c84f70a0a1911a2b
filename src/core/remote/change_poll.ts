import type { ResolvedRemote } from "../api/remote_option.ts";
import type { RemoteChange } from "../api/remote_tier.ts";
import { startIdleInterval } from "../async/timer.ts";
import { Pacer } from "../async/pacer.ts";
import { KEY_REGEXP } from "../text/key.ts";
import type { RemoteCalls } from "./remote_calls.ts";

/** The most changes without effect that are remembered for another attempt; the newest are kept. */
const MAX_PENDING = 1_024;

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
  /** When each key was changed last, for the changes that still need an attempt. */
  readonly #pending = new Map<string, number>();
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
    this.#after = next;
    const now = Date.now();
    for (const { key, ageMs } of changes) {
      const before = this.#pending.get(key) ?? -Infinity;
      this.#pending.delete(key);
      this.#pending.set(key, Math.max(before, now - ageMs));
    }
    const pacer = new Pacer();
    for (const [key, changedAt] of this.#pending) {
      // A process that was away learns of a week of changes.
      if (pacer.due) await pacer.yield();
      if (this.#isClosed) return;
      if (await this.#onChange(key, changedAt)) this.#pending.delete(key);
    }
    for (const key of this.#pending.keys()) {
      if (this.#pending.size <= MAX_PENDING) break;
      this.#pending.delete(key);
    }
  }
}

/** The changes that name a key and a time. */
function usable(changes: readonly RemoteChange[]): RemoteChange[] {
  return changes.filter(({ key, ageMs }) =>
    KEY_REGEXP.test(key) && Number.isFinite(ageMs)
  );
}
