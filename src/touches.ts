import { MAX_SKEW_MS } from "./clock.ts";
import type { Entry } from "./entry.ts";
import { TaskQueue } from "./task_queue.ts";
import { startIdleTimer } from "./timer.ts";
import { Turns } from "./turns.ts";

/** How long a touch may stay in memory, in milliseconds; the promise is 5 s. */
const FLUSH_AFTER_MS = 4_000;

/**
 * Last accesses that are not on disk yet. They become the mtimes of the .dat
 * files: no other file is needed, other processes see them, and setting one
 * takes a microsecond.
 */
export class Touches {
  readonly #write: (entry: Entry, timeMs: number) => Promise<void>;
  readonly #dirty = new Set<Entry>();
  readonly #flushes = new TaskQueue();
  #stopTimer: (() => void) | undefined;
  #floor = 0;

  /** `write` sets the mtime of an entry; it does not reject. */
  constructor(write: (entry: Entry, timeMs: number) => Promise<void>) {
    this.#write = write;
  }

  /** Notes that an entry was used. */
  mark(entry: Entry): void {
    this.#dirty.add(entry);
    this.#stopTimer ??= startIdleTimer(FLUSH_AFTER_MS, () => this.flush());
  }

  /**
   * Begins with what the disk tells, the most recent entry first: later uses are
   * not written as earlier than those. A use that lies in the future, since a
   * clock was wrong, is written anew, or it would count as the last one after
   * every start.
   */
  adopt(entries: readonly Entry[]): void {
    const now = Date.now();
    const newest = entries.find(({ mtimeMs }) => mtimeMs <= now);
    this.#floor = Math.max(this.#floor, newest?.mtimeMs ?? 0);
    for (const entry of entries.toReversed()) {
      if (entry.mtimeMs > now + MAX_SKEW_MS) this.mark(entry);
    }
  }

  /** Forgets an entry that is gone. */
  forget(entry: Entry): void {
    this.#dirty.delete(entry);
  }

  /** Writes what is pending, what is being written already included. */
  flush(): Promise<void> {
    this.#stopTimer?.();
    this.#stopTimer = undefined;
    return this.#flushes.run(() => this.#flush());
  }

  async #flush(): Promise<void> {
    const entries = [...this.#dirty]
      .sort((a, b) => a.lastAccess - b.lastAccess);
    this.#dirty.clear();
    const times = spread(
      entries.map((entry) => entry.lastAccess),
      this.#floor,
      Date.now(),
    );
    this.#floor = times.at(-1) ?? this.#floor;
    const turns = new Turns();
    for (const [i, entry] of entries.entries()) {
      await this.#write(entry, times[i] ?? entry.lastAccess);
      if (turns.due) await turns.next();
    }
  }
}

/**
 * Gives ascending times a millisecond each, since a file's time is read back in
 * whole ones: none later than `now`, and where there is room none the same as
 * another. There is no room for more than 1,000 entries a second; those that
 * share a millisecond are told apart by when they were stored.
 */
export function spread(
  times: readonly number[],
  floor: number,
  now: number,
): number[] {
  const result: number[] = [];
  let next = now + 1;
  for (const time of times.toReversed()) {
    next = Math.max(Math.min(Math.floor(time), next - 1), Math.min(floor, now));
    result.push(next);
  }
  return result.reverse();
}
