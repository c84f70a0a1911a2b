/** The parts that all jobs share. */
import process from "node:process";
import type { OpenContender } from "../contenders/contender.ts";
import type { Sample } from "../measurement.ts";
import type { Work } from "../work.ts";

/** Does some work with a contender. */
export type Job = (
  work: Work,
  open: OpenContender | undefined,
) => Promise<Sample>;

/** More bodies than are kept in memory, so that hits come from disk. */
const ENOUGH = 80;

/** Collects measures by name. */
export class Stopwatch implements Sample {
  readonly measures: Record<string, number> = {};
  readonly cpuMs: Record<string, number> = {};

  readonly #seconds: number;

  /**
   * Ends a slow measure early: after `seconds`, but at least {@linkcode ENOUGH}
   * times.
   */
  constructor(seconds = Infinity) {
    this.#seconds = seconds;
  }

  /**
   * Runs an action `count` times, several at a time, and records the seconds
   * and the CPU time of each. Returns the number of runs.
   */
  async time(
    measure: string,
    count: number,
    inFlight: number,
    work: (i: number) => Promise<unknown>,
  ): Promise<number> {
    const cpu = process.cpuUsage();
    const start = performance.now();
    const end = start + this.#seconds * 1000;
    let next = 0;
    const lane = async () => {
      while (next < count && (next < ENOUGH || performance.now() < end)) {
        await work(next++);
      }
    };
    await Promise.all(Array.from({ length: inFlight }, lane));
    this.measures[measure] = (performance.now() - start) / 1000 / next;
    const { user, system } = process.cpuUsage(cpu);
    this.cpuMs[measure] = (user + system) / 1000 / next;
    return next;
  }
}

/** Bytes that no disk and no connection can compress. */
export function randomBytes(size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  const step = 65_536; // the maximum of one call
  for (let i = 0; i < size; i += step) {
    crypto.getRandomValues(bytes.subarray(i, i + step));
  }
  return bytes;
}

/** Fails unless a body was whole. */
export function assertLength(received: number, wanted: number): void {
  if (received === wanted) return;
  throw new Error(`Received ${received} bytes instead of ${wanted}`);
}
