import { assert, assertEquals } from "@std/assert";
import type { Arming } from "./armed_fault.ts";
import { FaultPoints, type FaultScenario } from "./fault_points.ts";
import { SCENARIOS } from "./fault_scenarios.ts";
import type { OperationName } from "./fault_injection.ts";

/** Operations that fail without free space. */
const GROWING: OperationName[] = [
  "create",
  "write",
  "sync",
  "rename",
  "mkdir",
  "utime",
];

/** The errors of the disk, and the operations that they hit. */
const FAULTS: readonly [Omit<Arming, "at">, OperationName[]?][] = [
  [{ code: "EIO", sticky: false }],
  [{ code: "EIO", sticky: true }],
  [{ code: "ENOSPC", sticky: false }, GROWING],
  [{ code: "ENOSPC", sticky: true }, GROWING],
];

/** Hits one operation after the other, until there are no more. */
async function tryAll(
  scenario: FaultScenario,
  fault: Omit<Arming, "at">,
  operations?: OperationName[],
): Promise<{ count: number; problems: string[] }> {
  await using points = await FaultPoints.start(scenario, operations);
  const all: string[] = [];
  const name = `${fault.code}${fault.sticky ? " from" : " at"}`;
  for (let at = 1;; at++) {
    const { hit, problems } = await points.try({ ...fault, at });
    all.push(...problems.map((problem) => `${name} ${hit}: ${problem}`));
    if (hit !== undefined) continue;
    const { code, complaints } = await points.end();
    if (code !== 0 || complaints !== "") all.push(`${name}: ${complaints}`);
    return { count: at - 1, problems: all };
  }
}

for (const scenario of SCENARIOS) {
  Deno.test(`a disk that fails at any one operation, or from there on, breaks nothing: ${scenario().name}`, async () => {
    const results = await Promise.all(
      FAULTS.map(([fault, operations]) =>
        tryAll(scenario(), fault, operations)
      ),
    );

    assertEquals(results.flatMap(({ problems }) => problems), []);
    for (const { count } of results) assert(count > 5, `${count} operations`);
  });
}
