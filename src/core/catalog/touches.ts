import { MAX_SKEW_MS } from "../async/clock.ts";
import type { Entry } from "./entry.ts";
import { TaskQueue } from "../async/task_queue.ts";
import { startIdleTimer } from "../async/timer.ts";
import { Pacer } from "../async/pacer.ts";

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
    const times = spread(entries, this.#floor, Date.now());
    this.#floor = times.at(-1) ?? this.#floor;
    const pacer = new Pacer();
    for (const [i, entry] of entries.entries()) {
      const time = times[i] ?? entry.lastAccess;
      // What was stored and not used since has its time already.
      if (time !== entry.mtimeMs) await this.#write(entry, time);
      if (pacer.due) await pacer.yield();
    }
  }
}

/**
 * The times on disk of entries, given the least recently used first. A file's time
 * is read back in whole milliseconds, and of two within the same one that which was
 * stored later counts as the more recent; where that is wrong, and there is room,
 * the other is dated a millisecond earlier. None is later than `now`. There is no
 * room for more than 1,000 uses a second.
 */
export function spread(
  entries: readonly Pick<Entry, "lastAccess" | "storedAt">[],
  floor: number,
  now: number,
): number[] {
  const times: number[] = [];
  let next = { time: now, storedAt: Infinity };
  for (const { lastAccess, storedAt } of entries.toReversed()) {
    const latest = storedAt < next.storedAt ? next.time : next.time - 1;
    const wanted = Math.min(Math.floor(lastAccess), latest);
    next = { time: Math.max(wanted, Math.min(floor, now)), storedAt };
    times.push(next.time);
  }
  return times.reverse();
}
