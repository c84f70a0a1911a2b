import { MAX_SKEW_MS } from "../async/clock.ts";
import { isNotFound } from "../disk/disk_fault.ts";
import type { DiskErrors } from "../reporting/disk_errors.ts";
import type { LentFolder } from "../disk/lent_folder.ts";
import type { NoteStore } from "../notes/note_store.ts";
import type { PairStore } from "../disk/pair_store.ts";
import { STAGED_GRACE_MS } from "../disk/staged_file.ts";
import { classify } from "../disk/file_names.ts";
import {
  type Leftover,
  type Leftovers,
  stagedLeftoverOf,
} from "../entries/leftovers.ts";
import { Pacer } from "../async/pacer.ts";
import { startIdleTimer } from "../async/timer.ts";
import type { WriteTurns } from "../entries/write_turns.ts";

/** The time between two looks for what processes leave that have ended (ms). */
const LOOK_MS = 60_000;

/** A look is followed by a pause of so many times its length: it takes 1 % of the time at most. */
const PAUSE_FACTOR = 100;

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
 * that processes lent are removed once these have ended, and the oldest of too many notes
 * without an entry.
 */
export class LeftoverSweeper implements Leftovers {
  readonly #store: PairStore;
  readonly #lent: LentFolder;
  readonly #writes: WriteTurns;
  readonly #notes: NoteStore;
  readonly #errors: DiskErrors;
  readonly #waiting = new Map<string, Waiting>();
  /** When to look again (performance.now()); undefined before the first sweep. */
  #lookAt: number | undefined;
  #stopTimer: (() => void) | undefined;
  /** The number of leftovers that wait. */
  count = 0;
  #sweeps = false;
  #sweeping: Promise<void> | undefined;
  #tidying: Promise<void> | undefined;
  #bytes = 0;
  #occupiedBytes = 0;
  /** How many will be gone within seconds. */
  #passing = 0;

  /** Removes in turn with the other `writes`. */
  constructor(
    store: PairStore,
    lent: LentFolder,
    writes: WriteTurns,
    notes: NoteStore,
    errors: DiskErrors,
  ) {
    this.#store = store;
    this.#lent = lent;
    this.#writes = writes;
    this.#notes = notes;
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

  get hasPassing(): boolean {
    return this.#passing > 0;
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
    this.count = this.#waiting.size;
    this.#bytes += leftover.bytes;
    this.#occupiedBytes += leftover.occupiedBytes;
    if (isPassing(leftover)) this.#passing++;
    if (this.#sweeps) this.#schedule();
  }

  /** Files of these names are part of an entry now, or gone. */
  forget(names: readonly string[]): void {
    for (const name of names) this.#take(name);
  }

  /**
   * Removes those that are old enough, and comes back for the others, and once a minute
   * for what processes leave that end meanwhile.
   */
  sweep(): Promise<void> {
    this.#sweeps = true;
    return this.#sweeping ??= this.#sweep().finally(() => {
      this.#sweeping = undefined;
    });
  }

  async #sweep(): Promise<void> {
    await this.#look();
    // Not awaited: a look at each of many notes must not hold up the start.
    this.#tidying = this.#notes.tidy();
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

  /** Looks for .part files whose processes have ended since the last look, and for notes. */
  async #look(): Promise<void> {
    const start = performance.now();
    if (start < (this.#lookAt ?? Infinity)) {
      // The start of the cache has looked just before the first sweep.
      this.#lookAt ??= start + LOOK_MS;
      return;
    }
    const pacer = new Pacer();
    const notes: string[] = [];
    try {
      for await (const { name } of this.#store.list()) {
        if (!this.#sweeps) return;
        if (pacer.due) await pacer.yield();
        const { kind, key } = classify(name);
        if (kind === "note") notes.push(key);
        if (kind !== "staged") continue;
        const leftover = await stagedLeftoverOf(this.#store, name);
        if (leftover !== undefined) this.add(leftover);
      }
      this.#notes.listed(notes);
    } catch (error) {
      if (!isNotFound(error)) this.#errors.report("list the directory", error);
    } finally {
      const tookMs = performance.now() - start;
      this.#lookAt = start + Math.max(LOOK_MS, PAUSE_FACTOR * tookMs);
    }
  }

  /** Whether a leftover is still within its grace. */
  isYoung(leftover: Leftover, now: number): boolean {
    return this.#sinceMs(leftover, now) + leftover.graceMs > now;
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

  /** Comes back no more, and waits for the end of a sweep. */
  async stop(): Promise<void> {
    this.#sweeps = false;
    this.#stopTimer?.();
    this.#stopTimer = undefined;
    await this.#sweeping;
    await this.#tidying;
  }

  #take(name: string): void {
    const waiting = this.#waiting.get(name);
    if (waiting === undefined) return;
    this.#bytes -= waiting.leftover.bytes;
    this.#occupiedBytes -= waiting.leftover.occupiedBytes;
    if (isPassing(waiting.leftover)) this.#passing--;
    this.#waiting.delete(name);
    this.count = this.#waiting.size;
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
    const lookInMs = (this.#lookAt ?? Infinity) - performance.now();
    let waitMs = Math.min(LOOK_MS, lookInMs);
    for (const { sinceMs, leftover: { graceMs } } of this.#waiting.values()) {
      // The clock may have been set back since.
      waitMs = Math.min(waitMs, Math.min(sinceMs, now) + graceMs - now);
    }
    this.#stopTimer = startIdleTimer(Math.max(0, waitMs), () => this.sweep());
  }

  async #remove({ names }: Leftover): Promise<void> {
    try {
      await this.#writes.withLock(async () => {
        if (await this.areNeeded(names)) return;
        for (const name of names) await this.#removeFile(name);
      });
    } catch (error) {
      this.#errors.report("remove a leftover file", error);
    }
  }

  /** Removes a file of a leftover; needs the lock of the directory. */
  #removeFile(name: string): Promise<boolean> {
    return classify(name).kind === "staged"
      ? this.#store.removeStaged(name)
      : this.#store.removeFile(name);
  }

  /** Whether leftovers have become part of an entry, or are being written again. */
  async areNeeded(names: readonly string[]): Promise<boolean> {
    for (const name of names) if (await this.#isNeeded(name)) return true;
    return false;
  }

  async #isNeeded(name: string): Promise<boolean> {
    const { kind, key } = classify(name);
    if (kind === "staged") {
      return await this.#store.isLocked(name) === true;
    }
    const found = await this.#store.find(key);
    if (found === undefined || !("file" in found)) return false;
    found.file.close();
    return true;
  }
}

/** Whether a leftover of a writable folder will be gone within seconds. */
function isPassing({ graceMs }: Leftover): boolean {
  return graceMs === STAGED_GRACE_MS;
}
