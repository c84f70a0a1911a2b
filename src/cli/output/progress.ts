import type { Writable } from "node:stream";
import cliProgress from "cli-progress";
import { shortKey } from "./entry_record.ts";
import type { CliOutput } from "./output.ts";
import { printable } from "./printable.ts";
import { formatBytes, formatCount } from "../../core/text/quantities.ts";

/** How far a run is. */
export interface Totals {
  /** The work that is done, however it ended. */
  readonly done: number;
  /** All that there is to do. */
  readonly of: number;
  /** The outcome so far, in words. */
  readonly note: string;
}

/** A transfer that runs. */
export interface Transfer {
  /** The key of its entry. */
  readonly key: string;
  /** File name, where known. */
  readonly filename?: string | undefined;
  /** Bytes so far. */
  readonly received: number;
  /** All bytes, where known. */
  readonly total: number | undefined;
  /** A phase that is worth telling, such as a conversion. */
  readonly note?: string | undefined;
}

// The members of cli-progress used here, which comes without types. Its types
// on npm need the types of Node, which are larger than all of this package.
interface Bar {
  setTotal(total: number): void;
  update(value: number, payload: Payload): void;
}

interface Bars {
  create(total: number, value: number, payload: Payload): Bar;
  remove(bar: Bar): void;
  log(text: string): void;
  update(): void;
  stop(): void;
}

interface Payload {
  percent: string;
  amount: string;
  name: string;
}

const FRAME_MS = 100;

/** Columns of a terminal that has room for long bars. */
const WIDE = 70;

// Bars are cut at the edge of the terminal, while logged lines wrap.
const WRAP = "\x1b[?7h";
const CUT = "\x1b[?7l";
const CLEAR_TO_RIGHT = "\x1b[K";

/** Draws a progress bar for each transfer, and a bar for all. */
export class Progress implements Disposable {
  readonly #bars: Bars;
  readonly #running = new Map<string, Bar>();
  readonly #totals: () => Totals;
  readonly #total: Bar;
  readonly #transfers: () => readonly Transfer[];
  readonly #timer: ReturnType<typeof setInterval>;
  #stopped = false;

  /** Draws on `terminal`, from now on and until it is disposed. */
  constructor(
    terminal: CliOutput,
    totals: () => Totals,
    transfers: () => readonly Transfer[],
  ) {
    this.#transfers = transfers;
    this.#totals = totals;
    this.#bars = new cliProgress.MultiBar({
      stream: streamOf(terminal),
      format: "[{bar}] {percent}  {amount}  {name}",
      barsize: columnsOf() < WIDE ? 10 : 24,
      barCompleteChar: "=",
      barIncompleteChar: " ",
      emptyOnZero: true,
      hideCursor: true,
      clearOnComplete: true,
      // Logged lines push the bars down, so bars that did not change are
      // redrawn too.
      forceRedraw: true,
    });
    const all = totals();
    this.#total = this.#bars.create(all.of, 0, payloadOf(all));
    this.refresh();
    this.#timer = setInterval(() => this.refresh(), FRAME_MS);
  }

  /** Draws the present state. */
  refresh(): void {
    if (this.#stopped) return;
    const totals = this.#totals();
    this.#total.update(totals.done, payloadOf(totals));
    const transfers = this.#transfers().slice(0, rows() - 2);
    const keys = new Set(transfers.map(({ key }) => key));
    for (const [key, bar] of this.#running) {
      if (keys.has(key)) continue;
      this.#bars.remove(bar);
      this.#running.delete(key);
    }
    for (const transfer of transfers) {
      const payload = payloadOfTransfer(transfer);
      const { key, total = 0 } = transfer;
      // A bar of unknown total stays empty; a total of 0 would fill it.
      const value = total === 0 ? 0 : transfer.received;
      const bar = this.#running.get(key) ??
        this.#bars.create(total, value, payload);
      this.#running.set(key, bar);
      bar.setTotal(total);
      bar.update(value, payload);
    }
    this.#bars.update();
  }

  /** Writes a line above the bars. */
  log(line: string): void {
    this.#bars.log(`${WRAP}${line}${CLEAR_TO_RIGHT}\n${CUT}`);
  }

  /** Removes the bars, and restores the terminal. */
  [Symbol.dispose](): void {
    if (this.#stopped) return;
    clearInterval(this.#timer);
    this.#bars.update();
    this.#bars.stop();
    this.#stopped = true;
  }
}

function payloadOf({ done, of, note }: Totals): Payload {
  return {
    percent: percentOf(done, of),
    amount: padded(`${formatCount(done)} of ${formatCount(of)}`),
    name: note,
  };
}

function payloadOfTransfer(transfer: Transfer): Payload {
  const { key, filename, note, received, total } = transfer;
  return {
    percent: percentOf(received, total),
    amount: padded(
      formatBytes(received) +
        (total === undefined ? "" : ` of ${formatBytes(total)}`),
    ),
    name: printable(filename ?? shortKey(key)) +
      (note === undefined ? "" : ` (${note})`),
  };
}

/** Aligns names where there is room. */
function padded(amount: string): string {
  return columnsOf() < WIDE ? amount : amount.padEnd(20);
}

function percentOf(value: number, total: number | undefined): string {
  if (!total) return "   -";
  return `${Math.floor(Math.min(1, value / total) * 100)}%`.padStart(4);
}

/** Returns the terminal as the stream that cli-progress writes to. */
function streamOf(terminal: CliOutput): Writable {
  const encoder = new TextEncoder();
  const stream = {
    isTTY: true,
    get columns() {
      return columnsOf();
    },
    write(text: string) {
      const bytes = encoder.encode(text);
      try {
        for (let done = 0; done < bytes.length;) {
          done += terminal.writeSync(bytes.subarray(done));
        }
      } catch {
        // The terminal is gone. The transfers go on.
      }
      return true;
    },
  };
  // The object has all members of a stream that cli-progress uses.
  return stream as Partial<Writable> as Writable;
}

function columnsOf(): number {
  return consoleSize().columns || 80;
}

function rows(): number {
  return Math.max(4, consoleSize().rows || 24);
}

function consoleSize(): { columns: number; rows: number } {
  try {
    return Deno.consoleSize();
  } catch {
    return { columns: 80, rows: 24 };
  }
}
