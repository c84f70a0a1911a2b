import { formatCount } from "../../core/text/quantities.ts";
import type { CliOutput } from "./output.ts";

/** The least time between two drawings, in milliseconds. */
const FRAME_MS = 100;

const CLEAR_LINE = "\r\x1b[K";

/** Shows on a terminal how much of a known amount of work is done, in one line. */
export class ProgressLine implements Disposable {
  readonly #terminal: CliOutput;
  readonly #total: number;
  readonly #encoder = new TextEncoder();
  #drawnAt = -Infinity;

  /** `total` is the amount of work. */
  constructor(terminal: CliOutput, total: number) {
    this.#terminal = terminal;
    this.#total = total;
  }

  /** Tells how much is done. */
  update(done: number): void {
    const now = performance.now();
    if (now - this.#drawnAt < FRAME_MS) return;
    this.#drawnAt = now;
    const of = `${formatCount(done)} of ${formatCount(this.#total)}`;
    this.#write(`${CLEAR_LINE}${of}`);
  }

  /** Removes the line. */
  [Symbol.dispose](): void {
    if (this.#drawnAt === -Infinity) return;
    this.#drawnAt = -Infinity;
    this.#write(CLEAR_LINE);
  }

  #write(text: string): void {
    const bytes = this.#encoder.encode(text);
    try {
      for (let done = 0; done < bytes.length;) {
        done += this.#terminal.writeSync(bytes.subarray(done));
      }
    } catch {
      // The terminal is gone. The work goes on.
    }
  }
}
