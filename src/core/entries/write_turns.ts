import {
  type ChangeLog,
  LockTimeoutError,
  type LogPlace,
} from "../sharing/change_log.ts";
import type { ReportFault } from "../reporting/disk_errors.ts";
import { TaskQueue } from "../async/task_queue.ts";
import { Pacer } from "../async/pacer.ts";

/** How long opening waits for a directory in which others write all the time. */
const BEGIN_TIMEOUT_MS = 500;

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
  #isLocked = false;

  /** Locks nothing yet. */
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
    const note = () =>
      Promise.resolve(this.#isLocked ? task(this.#log.place) : undefined);
    try {
      return await this.withLock(note, NOTE_TIMEOUT_MS);
    } catch (error) {
      if (!(error instanceof LockTimeoutError)) throw error;
    }
    return undefined;
  }

  /**
   * Runs a task that changes names.
   *
   * @throws {LockTimeoutError} If others hold the lock for longer than that.
   */
  withLock<T>(task: () => Promise<T>, timeoutMs?: number): Promise<T> {
    return this.withoutLock(async () => {
      this.#isLocked = await this.#lock(timeoutMs);
      try {
        return await task();
      } finally {
        if (this.#isLocked) this.#log.unlock();
        this.#isLocked = false;
      }
    });
  }

  /** Runs a task in turn with those that change names here, but not elsewhere. */
  withoutLock<T>(task: () => Promise<T>): Promise<T> {
    return this.#queue.run(task);
  }

  /** Tells other processes that the entry of `key` is about to change. */
  async announce(key: string): Promise<void> {
    if (this.#isLocked) await this.#log.announce(key);
  }

  /** The same before it is removed, which a full disk must not prevent. */
  async announceRemoval(key: string): Promise<void> {
    // Those who were not told find out when they look.
    await this.announce(key).catch(() => {});
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

  /** Takes the lock when all is known that was done under it. */
  async #lock(timeoutMs?: number): Promise<boolean> {
    while (await this.#log.lock(true, timeoutMs)) {
      try {
        if (await this.#learn()) return true;
      } catch (error) {
        this.#log.unlock();
        throw error;
      }
      this.#log.unlock();
      // It takes long, and others must not wait for it.
      await this.#reconciler.refreshAll();
    }
    return false;
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
