import { MAX_SKEW_MS } from "../async/clock.ts";
import type { DiskErrors } from "../reporting/disk_errors.ts";
import type { LentFolder } from "../disk/lent_folder.ts";
import type { PairStore } from "../disk/pair_store.ts";
import { classify } from "../disk/file_names.ts";
import {
  GRACE_MS,
  type Leftover,
  type Leftovers,
} from "../entries/leftovers.ts";
import { startIdleTimer } from "../async/timer.ts";
import type { WriteTurns } from "../entries/write_turns.ts";

/** The longest time between two sweeps (ms): the end of a process shows only then. */
const MAX_WAIT_MS = 60_000;

/** A leftover, and when its grace began. */
interface Waiting {
  readonly leftover: Leftover;
  /** When its grace began, in milliseconds since the epoch. */
  readonly sinceMs: number;
  /** Whether the disk was told of that time, which it may have refused. */
  isDated: boolean;
}

/**
 * Leftovers in the directory: removed when they are old, and counted till then. Links
 * that processes lent are removed once these have ended.
 */
export class LeftoverSweeper implements Leftovers {
  readonly #store: PairStore;
  readonly #lent: LentFolder;
  readonly #writes: WriteTurns;
  readonly #errors: DiskErrors;
  readonly #waiting = new Map<string, Waiting>();
  #stopTimer: (() => void) | undefined;
  #sweeps = false;
  #bytes = 0;
  #occupiedBytes = 0;

  /** Knows of none yet; removes in turn with the other `writes`. */
  constructor(
    store: PairStore,
    lent: LentFolder,
    writes: WriteTurns,
    errors: DiskErrors,
  ) {
    this.#store = store;
    this.#lent = lent;
    this.#writes = writes;
    this.#errors = errors;
  }

  /** Bytes of those that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes that the leftovers take on disk. */
  get occupiedBytes(): number {
    return this.#occupiedBytes;
  }

  /** Takes note of leftovers, which are removed in time if `sweep()` is in use. */
  add(leftover: Leftover): void {
    const [name] = leftover.names;
    if (name === undefined) return;
    const now = Date.now();
    const sinceMs = this.#sinceMs(leftover, now);
    const isDated = leftover.mtimeMs <= now + MAX_SKEW_MS ||
      this.#waiting.get(name)?.isDated === true;
    this.#take(name);
    this.#waiting.set(name, { leftover, sinceMs, isDated });
    this.#bytes += leftover.bytes;
    this.#occupiedBytes += leftover.occupiedBytes;
    if (this.#sweeps) this.#schedule();
  }

  /** Files of these names are part of an entry now, or gone. */
  forget(names: readonly string[]): void {
    for (const name of names) this.#take(name);
  }

  /** Removes those that are old enough, and comes back for the others. */
  async sweep(): Promise<void> {
    this.#sweeps = true;
    const now = Date.now();
    for (const [name, { leftover }] of [...this.#waiting]) {
      if (!this.#sweeps) return;
      if (this.isYoung(leftover, now)) {
        await this.date(leftover);
        continue;
      }
      this.#take(name);
      await this.#remove(leftover);
    }
    await this.#lent.sweep().catch((error) =>
      this.#errors.report("remove lent files", error)
    );
    if (this.#sweeps) this.#schedule();
  }

  /** Whether a leftover is still within its grace. */
  isYoung(leftover: Leftover, now: number): boolean {
    return this.#sinceMs(leftover, now) + GRACE_MS > now;
  }

  /**
   * Dates a leftover that waits, and that a wrong clock has dated in the future,
   * as of when its grace began, so that later starts know that too.
   */
  async date({ names }: Leftover): Promise<void> {
    const waiting = this.#waiting.get(names[0] ?? "");
    if (waiting === undefined || waiting.isDated) return;
    waiting.isDated = true;
    try {
      for (const name of names) {
        // A link has no facts here: its target is not the cache's.
        if (!await this.#store.facts(name)) continue;
        await this.#store.date(name, waiting.sinceMs);
      }
    } catch (error) {
      this.#errors.report("date a leftover file", error);
    }
  }

  /** Comes back no more. */
  stop(): void {
    this.#sweeps = false;
    this.#stopTimer?.();
    this.#stopTimer = undefined;
  }

  #take(name: string): void {
    const waiting = this.#waiting.get(name);
    if (waiting === undefined) return;
    this.#bytes -= waiting.leftover.bytes;
    this.#occupiedBytes -= waiting.leftover.occupiedBytes;
    this.#waiting.delete(name);
  }

  /**
   * When the grace of a leftover began: when it was written, or when it was first
   * seen here if its time is in the future.
   */
  #sinceMs({ names, mtimeMs }: Leftover, now: number): number {
    if (mtimeMs <= now) return mtimeMs;
    return Math.min(this.#waiting.get(names[0] ?? "")?.sinceMs ?? now, now);
  }

  #schedule(): void {
    this.#stopTimer?.();
    this.#stopTimer = undefined;
    const now = Date.now();
    let next = now + MAX_WAIT_MS;
    for (const { sinceMs } of this.#waiting.values()) {
      // The clock may have been set back since.
      next = Math.min(next, Math.min(sinceMs, now) + GRACE_MS);
    }
    const waitMs = Math.max(0, next - now);
    this.#stopTimer = startIdleTimer(waitMs, () => this.sweep());
  }

  async #remove({ names }: Leftover): Promise<void> {
    try {
      await this.#writes.withLock(async () => {
        if (await this.areNeeded(names)) return;
        for (const name of names) {
          await this.#store.removeFile(name);
        }
      });
    } catch (error) {
      this.#errors.report("remove a leftover file", error);
    }
  }

  /** Whether leftovers have become part of an entry, or are being written again. */
  async areNeeded(names: readonly string[]): Promise<boolean> {
    for (const name of names) if (await this.#isNeeded(name)) return true;
    return false;
  }

  async #isNeeded(name: string): Promise<boolean> {
    const { kind, key } = classify(name);
    if (kind === "staged") {
      return await this.#store.isLocked(name);
    }
    const found = await this.#store.find(key);
    if (found === undefined || !("file" in found)) return false;
    found.file.close();
    return true;
  }
}
