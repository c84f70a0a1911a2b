import { shortKey } from "../output/entry_record.ts";
import type { Output } from "../output/output.ts";
import type { Progress, Totals } from "../output/progress.ts";
import {
  formatBytes,
  formatCount,
  formatDuration,
} from "../../core/text/quantities.ts";
import { type ListedUrl, STDIN } from "../call/url_list.ts";
import type { Outcome } from "./warmer.ts";

/** Totals of a run. */
export interface Tally {
  /** Number of URLs. */
  readonly urls: number;
  /** URLs downloaded. */
  stored: number;
  /** URLs stored before. */
  present: number;
  /** URLs that could not be stored. */
  failed: number;
  /** Bytes downloaded. */
  bytes: number;
}

/** The totals as the bar of all URLs shows them. */
export function totalsOf(tally: Tally): Totals {
  const { urls, stored, present, failed, bytes } = tally;
  return {
    done: stored + present + failed,
    of: urls,
    note: `${formatBytes(bytes)} stored` +
      (failed === 0 ? "" : `, ${formatCount(failed)} failed`),
  };
}

/** Options of {@linkcode WarmReport}. */
export interface WarmReportOptions {
  /** Whether outcomes are printed as JSON. */
  readonly json: boolean;
  /** Whether URLs are shown. */
  readonly urls: boolean;
  /** Progress bars on the same terminal, if any. */
  readonly progress: Progress | undefined;
}

/** Counts outcomes and prints them. */
export class WarmReport {
  readonly #output: Output;
  readonly #tally: Tally;
  readonly #options: WarmReportOptions;
  readonly #start = performance.now();

  /** Counts in `tally`. */
  constructor(output: Output, tally: Tally, options: WarmReportOptions) {
    this.#output = output;
    this.#tally = tally;
    this.#options = options;
    const { progress } = options;
    if (progress !== undefined) output.divert((line) => progress.log(line));
  }

  /** Reports the outcome of one URL. */
  async add(outcome: Outcome): Promise<void> {
    const { result, media } = outcome;
    this.#tally[result]++;
    if (result === "stored") this.#tally.bytes += media?.size ?? 0;
    if (this.#options.json) {
      await this.#output.json(this.#recordOf(outcome), "line");
    } else if (result === "failed") this.#complain(outcome);
    else if (this.#options.progress === undefined || !this.#output.isTerminal) {
      await this.#output.print(lineOf(outcome, this.#options.urls));
    }
  }

  /** Removes the bars. Idempotent. */
  endProgress(): void {
    this.#options.progress?.[Symbol.dispose]();
    this.#output.divert(undefined);
  }

  /** Prints the totals, after all URLs or an interruption. */
  async end(interrupted: boolean): Promise<void> {
    const { urls, stored, present, failed, bytes } = this.#tally;
    if (this.#options.json) {
      const result = interrupted ? "interrupted" : "done";
      return await this.#output.json(
        { result, urls, stored, present, failed, bytes },
        "line",
      );
    }
    const left = urls - stored - present - failed;
    const took = formatDuration(performance.now() - this.#start);
    await this.#output.print(
      [
        `${formatCount(stored)} stored (${formatBytes(bytes)})`,
        `${formatCount(present)} already there`,
        `${formatCount(failed)} failed`,
        ...(left > 0 ? [`${formatCount(left)} not done`] : []),
      ].join(", ") + `, ${interrupted ? "interrupted after" : "in"} ${took}`,
      failed + left === 0 ? "green" : "bold",
    );
  }

  #complain(outcome: Outcome): void {
    const { key, url, reason } = outcome;
    const which = this.#options.urls ? url : shortKey(key);
    this.#output.complain(`${placeOf(outcome)} (${which}): ${reason}`);
  }

  #recordOf(outcome: Outcome): unknown {
    const { result, list, line, operand, key, url, reason, media } = outcome;
    return {
      result,
      // JSON leaves out undefined members.
      list,
      line,
      operand,
      key,
      ...(reason !== undefined && { reason }),
      ...(media !== undefined && {
        mimetype: media.mimetype,
        filename: media.filename,
        size: media.size,
      }),
      ...(this.#options.urls && { url }),
    };
  }
}

function placeOf({ list, line, operand }: ListedUrl): string {
  if (operand !== undefined) return `argument ${operand}`;
  if (list === undefined) return `line ${line}`;
  return `${list === STDIN ? "standard input" : list}, line ${line}`;
}

function lineOf({ result, key, url, media }: Outcome, urls: boolean): string {
  return [
    result.padEnd("present".length),
    shortKey(key),
    formatBytes(media?.size ?? 0).padStart(10),
    media?.filename ?? "",
    ...(urls ? [url] : []),
  ].join("  ");
}
