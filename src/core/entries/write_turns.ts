/*
 * The lock order. A call takes these in this order, gives them back in the reverse
 * order, and waits for none of them while it has a later one:
 *
 * 1. the queue of puts of the URL (put.ts),
 * 2. the turn among all that change names in this process (the queue below),
 * 3. the lock of the directory, among all processes (change_log.ts),
 * 4. the key that is changed, for which lookups wait (key_changes.ts).
 *
 * The locks of staged files have no place in it: `tryLock()` never waits.
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

/** How long opening waits for a directory in which others write all the time. */
const BEGIN_TIMEOUT_MS = 500;

/** A task that holds the lock for longer than this, in milliseconds, is followed by a pause. */
const LONG_MS = 5;

/** How long a look waits for the end of a change, in milliseconds. */
const LOOK_TIMEOUT_MS = 200;

/** How long the index waits for a place: it is only an accelerator. */
const NOTE_TIMEOUT_MS = 200;

/** What looks at the directory after others have changed it. */
export interface Reconciler {
  /** Looks at the entry of a key; `report` is told when the disk fails. */
  refresh(key: string, report?: ReportFault): Promise<void>;
  /** Looks at all of them. */
  refreshAll(report?: ReportFault): Promise<void>;
}

/**
 * Everything that changes names in the directory: one after the other, here and in
 * all processes that share it, each of which first learns what the others did.
 */
export class WriteTurns {
  readonly #log: ChangeLog;
  readonly #reconciler: Reconciler;
  readonly #queue = new TaskQueue();
  readonly #pacer = new Pacer();
  #isLocked = false;

  /** Takes turns by the lock of `log`; `reconciler` looks at what others have changed. */
  constructor(log: ChangeLog, reconciler: Reconciler) {
    this.#log = log;
    this.#reconciler = reconciler;
  }

  /**
   * From here on others tell what they change; before that nothing is known.
   * Where they are too busy to be asked, all is looked at again later.
   *
   * @param known What was known at some place in their list. If the list reaches
   * back to it, that is taken up, and what was changed since is looked at.
   * @returns Whether all of it is known now.
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
   * Runs a task at a place where all is known that others have changed. Where
   * there is no such place, since there are no locks or others hold it for long,
   * it is not run.
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
   * Runs a task that changes names, with the lock of the directory. The task begins
   * at once where no other has the turn or the lock and the disk is fast.
   *
   * @throws {LockTimeoutError} If another process holds the lock for longer than
   * `timeoutMs`; see `ChangeLog.lock()`.
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
        await this.#giveWay(performance.now() - start);
      }
    });
  }

  /** Runs a task in turn with those that change names in this process, without the lock. */
  withoutLock<T>(task: () => T | Promise<T>): Promise<T> {
    return this.#queue.run(task);
  }

  /**
   * Runs a look while no process changes names; also when another holds the lock for
   * longer than a moment. For what looks half-changed, and may be just that.
   */
  undisturbed<T>(look: () => Promise<T>): Promise<T> {
    return this.#queue.run(async () => {
      let isLocked = false;
      try {
        isLocked = await this.#log.lock(false, LOOK_TIMEOUT_MS);
      } catch {
        // Without the lock the look says what there is.
      }
      try {
        return await look();
      } finally {
        if (isLocked) this.#log.unlock();
      }
    });
  }

  /** Tells other processes that the entry of `key` is about to change. */
  announce(key: string): MaybePromise<void> {
    if (this.#isLocked) return this.#log.announce(key);
  }

  /** Announces a removal, which a full disk must not prevent. */
  async announceRemoval(key: string): Promise<void> {
    try {
      await this.announce(key);
    } catch {
      // Other processes find out when they look at the entry.
    }
  }

  /**
   * Learns what other processes have changed, for a list of all entries. What a
   * process that holds the lock changes just now is left out.
   *
   * @param report Told when the disk fails.
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

  /** Ends when all tasks have; none may be begun meanwhile. */
  async close(): Promise<void> {
    await this.withoutLock(() => Promise.resolve());
    this.#log.close();
  }

  /** Takes the lock, when all is known that was done under it before. */
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
   * Leaves the lock to others once, before the next task takes it: the event loop
   * gets a turn each millisecond, and a process that waits for the lock tries again
   * at least once after each task on a slow disk.
   */
  async #giveWay(heldMs: number): Promise<void> {
    if (heldMs > LONG_MS) await pause(2 * RETRY_MS);
    else if (this.#pacer.due) await this.#pacer.yield();
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
