import { pushingOf, type PushProgress } from "../../core/inspection.ts";
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatEntries,
} from "../../core/text/quantities.ts";
import type { Call } from "../call/call.ts";
import { expectUsable } from "../call/directory.ts";
import { EXIT } from "../call/failures.ts";
import { Interruption } from "../call/interruption.ts";
import { shortKey } from "../output/entry_record.ts";
import { Progress, type Totals } from "../output/progress.ts";
import { bounded } from "./bounded.ts";
import { faultOf, openBucket } from "./bucket.ts";
import { inLanes } from "./lanes.ts";

/** Uploads at a time, unless told otherwise. */
export const CONCURRENCY = 4;

/** The longest look and upload of one entry, in milliseconds. */
const PUSH_MS = 120_000;

/** Entries that fail one after the other until the bucket counts as down. */
const MAX_FAILURES = 5;

/** Totals of a run. */
interface Tally {
  readonly entries: number;
  pushed: number;
  present: number;
  skipped: number;
  failed: number;
  bytes: number;
}

/** `remote sync`: uploads the entries that the bucket lacks. */
export async function sync(call: Call): Promise<number> {
  const { dir, output } = call;
  const concurrency = call.count("concurrency") ?? CONCURRENCY;
  await expectUsable(dir, false, false);
  await using opened = await openBucket();
  const pushing = pushingOf(dir, opened.tier);
  const keys = await pushing.keys();
  using interruption = new Interruption(call.signal);
  const { signal } = interruption;
  const tally: Tally = {
    entries: keys.length,
    ...{ pushed: 0, present: 0, skipped: 0, failed: 0, bytes: 0 },
  };
  const running = new Map<string, PushProgress>();
  const hasBars = output.stderr.isTerminal() && !call.flag("no-progress");
  using progress = hasBars
    ? new Progress(
      output.stderr,
      () => totalsOf(tally),
      () => [...running.values()],
    )
    : undefined;
  if (progress !== undefined) output.divert((line) => progress.log(line));
  const endProgress = () => {
    progress?.[Symbol.dispose]();
    output.divert(undefined);
  };
  signal.addEventListener("abort", endProgress, { once: true });

  let failuresInARow = 0;
  const isDown = () => failuresInARow >= MAX_FAILURES;
  const start = performance.now();
  await inLanes(concurrency, keys, async (key) => {
    if (signal.aborted || isDown()) return;
    try {
      const result = await bounded(
        signal,
        PUSH_MS,
        (signal) =>
          pushing.push(key, {
            signal,
            onUpload: (upload) => running.set(key, upload),
          }),
      );
      tally[result]++;
      if (result === "pushed") tally.bytes += running.get(key)?.total ?? 0;
      failuresInARow = 0;
    } catch (error) {
      if (signal.aborted) return;
      tally.failed++;
      failuresInARow++;
      output.complain(`can't upload ${shortKey(key)}: ${faultOf(error)}`);
    } finally {
      running.delete(key);
    }
  });
  endProgress();
  if (isDown()) {
    output.complain(
      `gave up after ${MAX_FAILURES} failures in a row; run it again to go on`,
    );
  }
  await report(call, tally, signal.aborted, performance.now() - start);
  if (signal.aborted) return interruption.exitCode;
  return tally.failed > 0 ? EXIT.failure : EXIT.ok;
}

async function report(
  call: Call,
  tally: Tally,
  isInterrupted: boolean,
  durationMs: number,
): Promise<void> {
  const { output } = call;
  const { entries, ...counts } = tally;
  if (call.flag("json")) {
    const result = isInterrupted ? "interrupted" : "done";
    return await output.json({ result, entries, ...counts });
  }
  const { pushed, present, skipped, failed, bytes } = counts;
  const left = entries - pushed - present - skipped - failed;
  const took = formatDuration(durationMs);
  await output.print(
    [
      `${formatEntries(pushed)} pushed (${formatBytes(bytes)})`,
      `${formatCount(present)} already there`,
      ...(skipped > 0 ? [`${formatCount(skipped)} skipped`] : []),
      ...(failed > 0 ? [`${formatCount(failed)} failed`] : []),
      ...(left > 0 ? [`${formatCount(left)} not done`] : []),
    ].join(", ") + `, ${isInterrupted ? "interrupted after" : "in"} ${took}`,
    failed + left === 0 ? "green" : "bold",
  );
}

function totalsOf(tally: Tally): Totals {
  const { entries, pushed, present, skipped, failed, bytes } = tally;
  return {
    done: pushed + present + skipped + failed,
    of: entries,
    note: `${formatBytes(bytes)} pushed` +
      (failed === 0 ? "" : `, ${formatCount(failed)} failed`),
  };
}
