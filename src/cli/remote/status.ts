import type { RemoteTier } from "../../core/api/remote_tier.ts";
import { pushingOf } from "../../core/inspection.ts";
import { formatCount } from "../../core/text/quantities.ts";
import type { Call } from "../call/call.ts";
import { expectUsable } from "../call/directory.ts";
import { EXIT } from "../call/failures.ts";
import { Interruption } from "../call/interruption.ts";
import { layOutFacts } from "../output/table.ts";
import { bounded } from "./bounded.ts";
import { faultOf, openBucket } from "./bucket.ts";
import { inLanes } from "./lanes.ts";

/** The most entries that are looked for in the bucket. */
const SAMPLE = 100;

/** Looks at a time. */
const LANES = 8;

/** The longest request, in milliseconds. */
const LOOK_MS = 10_000;

/** The key of no URL. */
const NO_KEY = "0".repeat(64);

/** The findings of `remote status`. */
interface Status {
  name: string;
  answers: boolean;
  reason: string | null;
  tookMs: number | null;
  entries: number;
  lookedFor: number;
  present: number;
  changes: number | null;
}

/** `remote status`: whether the bucket answers, and how much of the folder it has. */
export async function status(call: Call): Promise<number> {
  const { dir, output } = call;
  await expectUsable(dir, false, false);
  await using opened = await openBucket();
  using interruption = new Interruption(call.signal);
  const { signal } = interruption;
  const keys = (await pushingOf(dir, opened.tier).keys()).sort();
  const found: Status = {
    ...{ name: opened.tier.name, answers: false, reason: null, tookMs: null },
    ...{ entries: keys.length, lookedFor: 0, present: 0, changes: null },
  };
  try {
    await look(opened.tier, keys, found, signal);
    found.answers = true;
  } catch (error) {
    found.reason = faultOf(error);
  }
  if (signal.aborted) return interruption.exitCode;
  if (call.flag("json")) await output.json(found);
  else for (const line of layOutFacts(factsOf(found))) await output.print(line);
  return found.answers ? EXIT.ok : EXIT.failure;
}

async function look(
  tier: RemoteTier,
  keys: readonly string[],
  found: Status,
  signal: AbortSignal,
): Promise<void> {
  const has = (key: string) =>
    bounded(signal, LOOK_MS, (signal) => tier.has(key, signal));
  // The first request also opens a connection.
  await has(NO_KEY);
  const start = performance.now();
  await has(NO_KEY);
  found.tookMs = Math.round(performance.now() - start);
  // Keys are digests: any part of them is a fair sample.
  const sample = keys.slice(0, SAMPLE);
  await inLanes(LANES, sample, async (key) => {
    if (await has(key)) found.present++;
    found.lookedFor++;
  });
  const listed = await bounded(
    signal,
    LOOK_MS,
    async (signal) => await tier.changes?.(undefined, signal),
  );
  found.changes = listed?.changes.length ?? null;
}

function factsOf(found: Status): [string, string][] {
  const facts: [string, string][] = [
    ["Bucket", found.name],
    ["Answers", found.answers ? `yes, in ${found.tookMs} ms` : "no"],
  ];
  if (found.reason !== null) facts.push(["Reason", found.reason]);
  facts.push(["Entries here", formatCount(found.entries)]);
  if (!found.answers) return facts;
  facts.push([
    "In the bucket",
    `${formatCount(found.present)} of ${
      formatCount(found.lookedFor)
    } looked for`,
  ]);
  if (found.changes !== null) {
    facts.push(["Changes", `${formatCount(found.changes)} by all hosts`]);
  }
  return facts;
}
