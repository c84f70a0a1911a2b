import { assertAttached } from "./body_data.ts";
import { Condition } from "../async/condition.ts";
import { ChunkWindow, type WindowBudget } from "./chunk_window.ts";
import type { DiskFile } from "../disk/disk_file.ts";
import { GrowingBody, type GrowingBodyEvents } from "./growing_body.ts";

/**
 * The latest bytes that a stored download keeps for readers that lag by little. If
 * each of them read a missed chunk from the file, each would get a copy: with 16
 * readers garbage grows by 100 MiB (measured).
 */
const KEPT_BYTES = 524_288;

/**
 * The body of a running download, teed to the disk file and to its readers.
 *
 * Each chunk is written to the file and then handed, without a copy, to the readers
 * that have caught up or nearly so; other readers read the file. So a reader may join
 * at any time and read at any pace, and memory holds little, however long the body.
 * `ReadableStream.tee()` would buffer all that the slowest reader has not read.
 *
 * Without a file the tee is uncached: a window of the latest chunks moves at the pace
 * of the slowest reader that has begun, and `push()` waits for that reader.
 */
export class Tee extends GrowingBody {
  readonly #window = new ChunkWindow();
  readonly #room = new Condition();
  readonly #budget: WindowBudget;
  #stagedEnd = 0;
  #writing: boolean;

  /**
   * Takes over `file`, which is closed when neither the owner nor a reader needs it.
   *
   * @param budget Limits the window of the tee while it is uncached.
   */
  constructor(
    declaredSize: number | undefined,
    file: DiskFile | undefined,
    events: GrowingBodyEvents,
    budget: WindowBudget,
  ) {
    super(file, declaredSize, events);
    this.#budget = budget;
    this.#writing = file !== undefined;
    if (!this.#writing) this.#window.countFor(budget);
  }

  /** Bytes received so far. */
  override get received(): number {
    return this.#window.end;
  }

  /** Whether the bytes still go to the file. */
  get cached(): boolean {
    return this.#writing;
  }

  protected override get isStaged(): boolean {
    return this.#writing;
  }

  /** The bytes written to the file. */
  protected override get stagedEnd(): number {
    return this.#stagedEnd;
  }

  /**
   * Takes the next chunk. Writes it to the file first, so that readers never see a byte
   * that is not on disk.
   *
   * @throws {TypeError} If the source has detached the chunk.
   * @throws The file system's error; the owner then calls `uncache()` and pushes the
   * chunk again.
   */
  async push(chunk: Uint8Array<ArrayBuffer>): Promise<void> {
    if (this.#writing && this.staged !== undefined) {
      const written = this.staged.writeAt(chunk, this.received);
      if (written !== undefined) await written;
      if (this.hasEnded) return;
      assertAttached(chunk);
      this.#window.push(chunk);
      const passed = Math.min(this.#slowest(), this.received - chunk.length);
      this.#window.dropBefore(Math.max(passed, this.received - KEPT_BYTES));
      this.#stagedEnd = this.received;
    } else {
      while (!this.hasRoom(chunk.length)) await this.#room.wait();
      if (this.hasEnded) return;
      assertAttached(chunk);
      this.#window.push(chunk);
    }
    this.wake();
  }

  /** Writes no further byte to the file; the written bytes stay readable. */
  uncache(): void {
    this.#writing = false;
    this.#window.dropBefore(this.#stagedEnd);
    if (!this.hasEnded) this.#window.countFor(this.#budget);
  }

  /** Ends the body: all bytes were pushed. */
  override complete(): void {
    if (this.#writing && !this.hasEnded) this.onUnneeded();
    super.complete();
  }

  /** The chunk at `position`, if it is one of the latest. */
  protected override keptAt(
    position: number,
  ): Uint8Array<ArrayBuffer> | undefined {
    return this.#window.at(position);
  }

  /** Lets a waiting push look for room again. */
  protected override onMoved(): void {
    this.#room.notifyAll();
  }

  /** Forgets the latest chunks. */
  protected override onUnneeded(): void {
    this.#window.clear();
  }

  /** Whether an uncached chunk can be pushed now; forgets what readers have passed, if need be. */
  hasRoom(bytes: number): boolean {
    if (!this.#budget.admits(this.#window.bytes, bytes)) {
      const passed = this.readers.size === 0 ? 0 : this.#slowest();
      this.#window.dropBefore(passed);
    }
    return this.hasEnded || this.#budget.admits(this.#window.bytes, bytes);
  }

  /** The position of the slowest reader. */
  #slowest(): number {
    let slowest = Infinity;
    for (const { position } of this.readers) {
      if (position < slowest) slowest = position;
    }
    return slowest;
  }
}
