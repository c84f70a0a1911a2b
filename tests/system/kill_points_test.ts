import { assert, assertEquals } from "@std/assert";
import { indexEverything } from "../fixtures/cache/indexing.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";
import {
  allowedAfter,
  checkDirectory,
  convertGif,
  courseOf,
} from "./crash_directory.ts";
import { type Ended, runScenario } from "./crash_runner.ts";
import { type Scenario, SCENARIOS } from "./crash_scenarios.ts";
import { describe, type Operation, parseOperation } from "./fault_injection.ts";

/** A point at which a process is killed. */
interface Point {
  operation: Operation;
  action: "kill" | "half";
}

let video: Uint8Array | undefined;

async function check(scenario: Scenario, { dir, lines }: Ended): Promise<void> {
  if (video === undefined) {
    await using temp = await tempDir();
    video = await convertGif(temp.path);
  }
  const allowed = allowedAfter(scenario, courseOf(lines), () => true);
  await checkDirectory(dir, scenario, allowed, video);
}

/** Every operation, and the middle of each write. */
async function pointsOf(
  scenario: Scenario,
  durable: boolean,
): Promise<Point[]> {
  await using ended = await runScenario({ scenario, durable });
  await check(scenario, ended);
  assertEquals(courseOf(ended.lines).ended.size, scenario.steps.length);
  const points: Point[] = [];
  for (const line of ended.lines) {
    const operation = parseOperation(line);
    if (operation === undefined) continue;
    points.push({ operation, action: "kill" });
    if (operation.name === "write") points.push({ operation, action: "half" });
  }
  return points;
}

/** Kills a process at a point and checks its files; returns the problems. */
async function kill(
  scenario: Scenario,
  durable: boolean,
  { operation, action }: Point,
): Promise<string | undefined> {
  const fault = { fault: { action }, at: operation.number };
  await using ended = await runScenario({ scenario, durable, fault });
  try {
    assertEquals(ended.signal, "SIGKILL");
    await check(scenario, ended);
  } catch (error) {
    const cut = action === "half" ? " (half)" : "";
    return `${describe(operation)}${cut}: ${
      error instanceof Error ? error.message : error
    }`;
  }
  return undefined;
}

/** Works on all items, several at a time. */
async function forEach<T>(
  items: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<void> {
  const left = [...items];
  const worker = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) {
      await work(item);
    }
  };
  await Promise.all(
    Array.from({ length: navigator.hardwareConcurrency + 1 }, worker),
  );
}

for (const scenario of SCENARIOS) {
  for (const durable of [false, true]) {
    const how = durable ? ", durable" : "";
    Deno.test(`a kill at any point leaves no wrong, mixed, lost or leftover entry: ${scenario.name}${how}`, async (t) => {
      using _indexing = scenario.isIndexed ? indexEverything() : undefined;
      const points = await pointsOf(scenario, durable);
      assert(points.length > 0);

      await t.step(`${points.length} points`, async () => {
        const wrong: string[] = [];
        await forEach(points, async (point) => {
          const what = await kill(scenario, durable, point);
          if (what !== undefined) wrong.push(what);
        });
        assertEquals(wrong, []);
      });
    });
  }
}
