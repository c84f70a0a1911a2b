import { byUse, type Entry } from "./entry.ts";
import { MAX_SKEW_MS } from "../async/clock.ts";
import { TaskQueue } from "../async/task_queue.ts";
import { startIdleTimer } from "../async/timer.ts";
import { Pacer } from "../async/pacer.ts";

/** A use is written after this time, in milliseconds; promised are 5 s. */
const FLUSH_AFTER_MS = 4_000;

/** The mtimes of the bodies of all known entries. */
export interface KnownMtimes {
  /** The latest mtime up to a time, both in milliseconds since the epoch; 0 without entries. */
  latestMtime(upTo: number): number;
  /** The entries with a later mtime, the least recently used first. */
  datedAfter(timeMs: number): Entry[];
}

/**
 * Collects last accesses and writes them as mtimes of the .dat files: no other file
 * is needed, other processes see them, and to set one takes 2.5 µs (measured).
 *
 * After the clock was set back, the mtimes written before lie in the future. An entry
 * with such an mtime counts as used now, at each start anew, and would outlive entries
 * that were used later. So the next flush of a use writes all of them anew, in their
 * order. Mtimes beyond {@linkcode MAX_SKEW_MS} are written anew without a use, too.
 */
export class Touches {
  readonly #write: (entry: Entry, timeMs: number) => Promise<void>;
  readonly #known: () => KnownMtimes | undefined;
  readonly #dirty = new Set<Entry>();
  readonly #flushes = new TaskQueue();
  #stopTimer: (() => void) | undefined;
  /** The latest mtime on disk, in milliseconds since the epoch. */
  #floor = 0;

  /**
   * Writes nothing yet.
   *
   * @param write Sets the mtime of an entry, in milliseconds since the epoch; never
   * rejects.
   * @param known Returns the mtimes of all entries, made after the touches.
   */
  constructor(
    write: (entry: Entry, timeMs: number) => Promise<void>,
    known: () => KnownMtimes | undefined = () => undefined,
  ) {
    this.#write = write;
    this.#known = known;
  }

  /** Notes that an entry was used. */
  mark(entry: Entry): void {
    this.#dirty.add(entry);
    if (this.#stopTimer === undefined) this.#startTimer();
  }

  /** Takes the mtimes on disk into account: no use is written as earlier than these. */
  adopt(): void {
    const latest = this.#known()?.latestMtime(Infinity) ?? 0;
    this.#floor = Math.max(this.#floor, latest);
    if (latest > Date.now() + MAX_SKEW_MS) this.#startTimer();
  }

  /** Forgets an entry that is gone. */
  forget(entry: Entry): void {
    this.#dirty.delete(entry);
  }

  /** Writes all pending uses, and waits for a flush that runs. */
  flush(): Promise<void> {
    this.#stopTimer?.();
    this.#stopTimer = undefined;
    return this.#flushes.run(() => this.#flush());
  }

  #startTimer(): void {
    this.#stopTimer ??= startIdleTimer(FLUSH_AFTER_MS, () => this.flush());
  }

  async #flush(): Promise<void> {
    const now = Date.now();
    const skewMs = this.#dirty.size > 0 ? 0 : MAX_SKEW_MS;
    if (this.#floor > now + skewMs) this.#markMisdated(now);
    const entries = [...this.#dirty].sort(byUse);
    this.#dirty.clear();
    const times = spread(entries, this.#floor, now);
    this.#floor = times.at(-1) ?? this.#floor;
    const pacer = new Pacer();
    for (const [i, entry] of entries.entries()) {
      const time = times[i] ?? entry.lastAccess;
      // An entry that was stored and not used since has its time already.
      if (time !== entry.mtimeMs) await this.#write(entry, time);
      if (pacer.due) await pacer.yield();
    }
  }

  /** Marks the entries whose mtimes lie in the future, by a clock that was set back since. */
  #markMisdated(now: number): void {
    const known = this.#known();
    for (const entry of known?.datedAfter(now) ?? []) this.#dirty.add(entry);
    this.#floor = known?.latestMtime(now) ?? 0;
  }
}

/**
 * The mtimes to write, in milliseconds since the epoch, so that the order of use can
 * be read back. A time is read in whole milliseconds, and of two entries with the same
 * time the one stored later counts as the more recent; where that is wrong, the other
 * gets a time one millisecond earlier. No time is later than `now`, or earlier than
 * `floor`, the newest time written before: so the order of more than 1,000 uses a
 * second may be lost.
 *
 * @param entries The entries, the least recently used first.
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
