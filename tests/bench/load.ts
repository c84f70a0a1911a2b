/** Requests without a pause, from wrk. */
import { NotMeasuredError } from "./measurement.ts";
import { assertLength } from "./jobs/job.ts";
import { tryProgram } from "./program.ts";

/** The average seconds for each request, with this many connections. */
export async function load(
  url: string,
  connections: number,
  seconds: number,
): Promise<number> {
  const args = ["-t1", `-c${connections}`, `-d${seconds}s`, url];
  const said = await tryProgram("wrk", args);
  if (said === undefined) throw new NotMeasuredError("there is no wrk");
  const { text } = said;
  const perSecond = Number(/^Requests\/sec: +([\d.]+)$/m.exec(text)?.[1]);
  const faults = /Non-2xx|Socket errors/.exec(text);
  if (!(perSecond > 0) || faults !== null) throw new Error(`wrk said: ${text}`);
  return 1 / perSecond;
}

/** Asserts that a URL answers with this many bytes. */
export async function assertServes(url: string, size: number): Promise<void> {
  const response = await fetch(url);
  assertLength((await response.bytes()).length, size);
}
