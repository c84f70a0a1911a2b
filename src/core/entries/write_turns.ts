/*
 * The lock order. A call takes the locks in this order, releases them in the reverse
 * order, and never waits for a lock while it holds a later one:
 *
 * 1. the queue of puts of the URL (put.ts),
 * 2. the turn of tasks that change names in this process (the queue below),
 * 3. the lock of the directory, shared by all processes (change_log.ts),
 * 4. the key that is changed, for which lookups wait (key_changes.ts).
 *
 * A download takes its slot (download_slots.ts), or for a GIF its turn of conversion,
 * before all of these. The locks of staged files are not in the list: `tryLock()` never
 * waits.
 */
import {
  type ChangeLog,
  LockTimeoutError,
  type LogPlace,
  RETRY_MS,
} from "../sharing/change_log.ts";
import type { ReportFault } from "../reporting/disk_errors.ts";
import type { MaybePromise } from "../disk/io_mode.ts";
import { TaskQueue } from "../async/task_queue.ts";
import { Pacer, pause } from "../async/pacer.ts";

/** Longest wait for the lock at the start, if other processes write all the time (ms). */
const BEGIN_TIMEOUT_MS = 500;

/** After a task that holds the lock for longer than this comes a pause, in milliseconds. */
const LONG_MS = 5;

/** Longest wait of a look for the end of a change, in milliseconds. */
const LOOK_TIMEOUT_MS = 200;

/** Longest wait for a place in the list for the index, which is only an accelerator (ms). */
const NOTE_TIMEOUT_MS = 200;

/** Looks at the directory after other processes have changed it. */
export interface Reconciler {
  /** Looks at the entry of a key; `report` is called when the disk fails. */
  refresh(key: string, report?: ReportFault): Promise<void>;
  /** Looks at all entries; `report` is called when the disk fails. */
  refreshAll(report?: ReportFault): Promise<void>;
}

/**
 * Runs all tasks that change names in the directory, one after the other, in this and
 * all other processes. Each task first learns the changes of the other processes.
 */
export class WriteTurns {
  readonly #log: ChangeLog;
  readonly #reconciler: Reconciler;
  readonly #queue = new TaskQueue();
  readonly #pacer = new Pacer();
  #isLocked = false;

  /** `log` has the lock of the directory; `reconciler` looks at what others have changed. */
  constructor(log: ChangeLog, reconciler: Reconciler) {
    this.#log = log;
    this.#reconciler = reconciler;
  }

  /**
   * Notes the present end of the list of changes: all later changes of other processes
   * will be learned from it. If they hold the lock for too long, the whole directory is
   * looked at later.
   *
   * @param known The place in the list at which an index was written, and a function that
   * uses the index: called if the list reaches back to that place. The changes since are
   * looked at then.
   * @returns Whether the index was used and all changes since are known.
   */
  start(known?: { place: LogPlace; takeUp(): void }): Promise<boolean> {
    return this.withoutLock(async () => {
      let isLocked: boolean;
      try {
        isLocked = await this.#log.lock(false, BEGIN_TIMEOUT_MS);
      } catch (error) {
        if (!(error instanceof LockTimeoutError)) throw error;
        this.#log.resetPosition();
        return false;
      }
      if (!isLocked) return false;
      try {
        const reaches = known !== undefined && this.#log.resume(known.place);
        if (reaches) known.takeUp();
        return await this.#learn() && reaches;
      } finally {
        this.#log.unlock();
      }
    });
  }

  /**
   * Runs a task at the end of the list, when all changes are known. Does not run it
   * without a lock: if the file system has none, or others hold it for too long.
   */
  async atLogEnd<T>(task: (place: LogPlace) => T): Promise<T | undefined> {
    const note = () => this.#isLocked ? task(this.#log.place) : undefined;
    try {
      return await this.withLock(note, NOTE_TIMEOUT_MS);
    } catch (error) {
      if (!(error instanceof LockTimeoutError)) throw error;
    }
    return undefined;
  }

  /**
   * Runs a task that changes names, under the lock of the directory. The task begins
   * synchronously if turn and lock are free and the disk is fast.
   *
   * @throws {LockTimeoutError} If another process holds the lock for longer than
   * `timeoutMs`.
   */
  withLock<T>(task: () => T | Promise<T>, timeoutMs?: number): Promise<T> {
    return this.#queue.run(async () => {
      const locked = this.#lock(timeoutMs);
      this.#isLocked = locked instanceof Promise ? await locked : locked;
      const start = performance.now();
      try {
        const result = task();
        return result instanceof Promise ? await result : result;
      } finally {
        if (this.#isLocked) this.#log.unlock();
        this.#isLocked = false;
        const isLong = performance.now() - start > LONG_MS;
        if (isLong || this.#pacer.due) await this.#giveWay(isLong);
      }
    });
  }

  /** Runs a task in turn with the tasks of this process, without the lock. */
  withoutLock<T>(task: () => T | Promise<T>): Promise<T> {
    return this.#queue.run(task);
  }

  /**
   * Runs a look at a pair that seems to be half-changed, while no process changes names.
   * Runs it without the lock, too, if another process holds that for too long.
   */
  undisturbed<T>(look: () => Promise<T>): Promise<T> {
    return this.#queue.run(async () => {
      let isLocked = false;
      try {
        isLocked = await this.#log.lock(false, LOOK_TIMEOUT_MS);
      } catch {
        // Looks without the lock.
      }
      try {
        return await look();
      } finally {
        if (isLocked) this.#log.unlock();
      }
    });
  }

  /** The number of changes that are known; undefined where there is no list of them. */
  get seenPosition(): number | undefined {
    return this.#log.seenPosition;
  }

  /** Announces to other processes that the entry of `key` is about to change. */
  announce(key: string): MaybePromise<void> {
    if (this.#isLocked) return this.#log.announce(key);
  }

  /** Announces a removal; a full disk, which can't hold the announcement, is ignored. */
  async announceRemoval(key: string): Promise<void> {
    try {
      await this.announce(key);
    } catch {
      // Other processes find the removal at their next look.
    }
  }

  /**
   * Learns the changes of other processes, for a list of all entries; not those of a
   * process that holds the lock just now.
   *
   * @param report Called when the disk fails.
   */
  catchUp(report: ReportFault): Promise<void> {
    return this.withoutLock(async () => {
      if (await this.#log.tryLock() !== true) return;
      let isKnown: boolean;
      try {
        isKnown = await this.#learn(report);
      } finally {
        this.#log.unlock();
      }
      if (!isKnown) await this.#reconciler.refreshAll(report);
    });
  }

  /** Waits for all tasks and closes the list; no task may begin meanwhile. */
  async close(): Promise<void> {
    await this.withoutLock(() => Promise.resolve());
    this.#log.close();
  }

  /** Takes the lock, with all changes known; false where there is no lock. */
  #lock(timeoutMs?: number): MaybePromise<boolean> {
    const locked = this.#log.lock(true, timeoutMs);
    if (locked === false) return false;
    const isDone = locked === true && !this.#log.hasChanges;
    return isDone || this.#lockAndLearn(locked, timeoutMs);
  }

  async #lockAndLearn(
    first: MaybePromise<boolean>,
    timeoutMs?: number,
  ): Promise<boolean> {
    let locked = await first;
    while (locked) {
      try {
        if (await this.#learn()) return true;
      } catch (error) {
        this.#log.unlock();
        throw error;
      }
      this.#log.unlock();
      // Without the lock: a look at the whole directory takes long.
      await this.#reconciler.refreshAll();
      locked = await this.#log.lock(true, timeoutMs);
    }
    return false;
  }

  /**
   * Leaves the lock free for a moment before the next task: the event loop gets a turn
   * each millisecond, and after a long task, as on a slow disk, a waiting process gets
   * at least one try.
   */
  async #giveWay(isLong: boolean): Promise<void> {
    if (isLong) await pause(2 * RETRY_MS);
    else await this.#pacer.yield();
  }

  async #learn(report?: ReportFault): Promise<boolean> {
    const news = await this.#log.changes();
    if (news === "unknown") return false;
    const pacer = new Pacer();
    for (const key of news) {
      await this.#reconciler.refresh(key, report);
      if (pacer.due) await pacer.yield();
    }
    return true;
  }
}
