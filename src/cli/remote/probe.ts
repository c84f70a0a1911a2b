import type { Call } from "../call/call.ts";
import { EXIT } from "../call/failures.ts";
import { Interruption } from "../call/interruption.ts";
import { layOutFacts } from "../output/table.ts";
import { bounded } from "./bounded.ts";
import { openBucket } from "./bucket.ts";

/** The longest probe, in milliseconds: it makes some twenty requests. */
const PROBE_MS = 30_000;

/** `remote probe`: tries reading, writing and leases. */
export async function probe(call: Call): Promise<number> {
  const { output } = call;
  await using opened = await openBucket();
  const { tier } = opened;
  using interruption = new Interruption(call.signal);
  const { reachable, lease, reason } = await bounded(
    interruption.signal,
    PROBE_MS,
    (signal) => tier.probe(signal),
  );
  if (call.flag("json")) {
    const { name } = tier;
    await output.json({ name, reachable, lease, reason: reason ?? null });
  } else {
    const facts: [string, string][] = [
      ["Bucket", tier.name],
      ["Usable", reachable ? "yes" : "no"],
      ["Leases", lease ? "can be relied on" : "can't be relied on"],
    ];
    if (reason !== undefined) facts.push(["Reason", reason]);
    for (const line of layOutFacts(facts)) await output.print(line);
  }
  return reachable ? EXIT.ok : EXIT.failure;
}
