/** Requests without a pause, from wrk. */
import { NotMeasuredError } from "./measurement.ts";
import { assertLength } from "./jobs/job.ts";
import { tryProgram } from "./program.ts";

/** The longest run in which a slow server must complete a request, in seconds. */
const MAX_SECONDS = 16;

/** The requests of a run. */
export interface Load {
  /** The average seconds for each. */
  readonly each: number;
  /** The length of all runs. */
  readonly seconds: number;
}

/**
 * Requests a URL with this many connections. wrk counts completed responses
 * alone, so a run without any is followed by one that is twice as long.
 */
export async function load(
  url: string,
  connections: number,
  seconds: number,
): Promise<Load> {
  const args = ["-t1", `-c${connections}`, `-d${seconds}s`, url];
  const said = await tryProgram("wrk", args);
  if (said === undefined) throw new NotMeasuredError("there is no wrk");
  const { text } = said;
  const perSecond = Number(/^Requests\/sec: +([\d.]+)$/m.exec(text)?.[1]);
  const faults = /Non-2xx|Socket errors/.exec(text);
  if (perSecond === 0 && faults === null && seconds < MAX_SECONDS) {
    const longer = await load(url, connections, seconds * 2);
    return { ...longer, seconds: seconds + longer.seconds };
  }
  if (!(perSecond > 0) || faults !== null) throw new Error(`wrk said: ${text}`);
  return { each: 1 / perSecond, seconds };
}

/** Asserts that a URL answers with this many bytes. */
export async function assertServes(url: string, size: number): Promise<void> {
  const response = await fetch(url);
  assertLength((await response.bytes()).length, size);
}
