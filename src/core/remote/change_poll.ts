import type { ResolvedRemote } from "../api/remote_option.ts";
import type { RemoteChange } from "../api/remote_tier.ts";
import { startIdleInterval } from "../async/timer.ts";
import { KEY_REGEXP } from "../text/key.ts";
import type { RemoteCalls } from "./remote_calls.ts";

/**
 * Learns from the tier which entries other hosts have deleted or replaced. The first look is
 * at the first use of the tier.
 */
export class ChangePoll {
  readonly #remote: ResolvedRemote;
  readonly #calls: RemoteCalls;
  readonly #onChange: (change: RemoteChange) => Promise<void>;
  #stopTimer: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #after: string | undefined;
  #isClosed = false;

  /** @param onChange Called for each change, one after the other; never rejects. */
  constructor(
    remote: ResolvedRemote,
    calls: RemoteCalls,
    onChange: (change: RemoteChange) => Promise<void>,
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
      async (limit) => await tier.changes?.(this.#after, limit),
      { timeoutMs: limits.idleTimeoutMs, isBackground: true },
    );
    if (typeof outcome === "string" || outcome.value === undefined) return;
    const { changes, next } = outcome.value;
    for (const change of changes) {
      if (this.#isClosed) return;
      if (KEY_REGEXP.test(change.key)) await this.#onChange(change);
    }
    this.#after = next;
  }
}
