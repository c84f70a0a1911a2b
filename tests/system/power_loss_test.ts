import { assert, assertEquals } from "@std/assert";
import { basename, join } from "@std/path";
import { tempDir } from "../fixtures/directory/temp_dir.ts";
import {
  type Allowed,
  allowedAfter,
  checkDirectory,
  convertGif,
  courseOf,
  prepare,
} from "./crash_directory.ts";
import { runScenario } from "./crash_runner.ts";
import { type Scenario, SCENARIOS, type Version } from "./crash_scenarios.ts";
import { describe, parseOperation } from "./fault_injection.ts";
import { CarelessDisk, type Carelessness, type Remains } from "./power_loss.ts";

/** The effects that a power cut may have, and the entries that must survive. */
interface Durability {
  durable: boolean;
  carelessness: Carelessness;
  /**
   * Whether a stored version, or its removal, is permanent when the call has
   * returned.
   */
  keeps: (version: Version | null) => boolean;
}

const DURABILITIES: readonly Durability[] = [
  {
    durable: true,
    carelessness: {
      reorders: true,
      unsynced: ["kept", "halved", "lost", "zeroed"],
    },
    keeps: (version) => version !== null,
  },
  {
    durable: false,
    carelessness: { reorders: false, unsynced: ["kept", "halved", "lost"] },
    keeps: () => false,
  },
];

/**
 * Every line of the log, and each state that a power cut after it may leave.
 */
async function* cuts(
  scenario: Scenario,
  { durable, carelessness, keeps }: Durability,
): AsyncGenerator<{ after: string; allowed: Allowed; remains: Remains }> {
  await using ended = await runScenario({ scenario, durable, keepsData: true });
  await using start = await tempDir();
  const disk = new CarelessDisk(basename(ended.dir), ended.data);
  const dir = join(start.path, "cache");
  await prepare(dir, scenario);
  if (scenario.before.length > 0) await disk.load(dir);
  const seen = new Set<string>();
  for (const [i, after] of ended.lines.entries()) {
    disk.apply(after);
    const course = courseOf(ended.lines.slice(0, i + 1));
    const allowed = allowedAfter(scenario, course, keeps);
    const steps = `${course.begun.size} ${course.ended.size}`;
    for (const [name, remains] of disk.remains(carelessness)) {
      const state = `${steps}\n${name}`;
      if (seen.has(state)) continue;
      seen.add(state);
      yield { after, allowed, remains };
    }
  }
}

/** A new folder in memory: there are thousands of cuts. */
async function memoryDir(): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir({ dir: "/dev/shm" });
  return {
    path,
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

function told(line: string): string {
  const operation = parseOperation(line);
  return operation === undefined ? line : describe(operation);
}

async function write(dir: string, remains: Remains): Promise<void> {
  if (remains === undefined) return;
  await Deno.mkdir(dir);
  for (const [name, bytes] of remains) {
    await Deno.writeFile(join(dir, name), bytes);
  }
}

for (const scenario of SCENARIOS) {
  for (const durability of DURABILITIES) {
    const what = durability.durable
      ? "what was stored is there and whole, if durable"
      : "nothing comes back wrong";
    Deno.test(`after a power cut at any point, ${what}: ${scenario.name}`, async (t) => {
      await using temp = await memoryDir();
      const video = await convertGif(join(temp.path, "gif"));
      const wrong: string[] = [];
      let count = 0;
      for await (const cut of cuts(scenario, durability)) {
        const { after, allowed, remains } = cut;
        const dir = join(temp.path, `${++count}`);
        await write(dir, remains);
        try {
          await checkDirectory(dir, scenario, allowed, video);
        } catch (error) {
          const message = error instanceof Error ? error.message : error;
          wrong.push(`after ${told(after)}: ${message}`);
        }
        if (remains !== undefined) await Deno.remove(dir, { recursive: true });
      }

      await t.step(`${count} cuts`, () => {
        assert(count > 0);
        assertEquals(wrong, []);
      });
    });
  }
}
