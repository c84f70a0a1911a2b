/** No handle ever stands for other bytes, wherever a process is killed or refused. */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { MediaCache } from "../../mod.ts";
import { bytesOf } from "../fixtures/directory/files.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";
import {
  describe,
  type Fault,
  faultEnv,
  type FaultOptions,
  type Operation,
  parseOperation,
} from "./fault_injection.ts";
import { handleOf, PLACE, URL } from "./note_worker.ts";

/** Runs the worker with a fault, and checks the folder; its operations. */
async function run(options: FaultOptions = {}): Promise<Operation[]> {
  await using temp = await tempDir();
  const dir = join(temp.path, "cache");
  await Deno.mkdir(dir);
  const log = join(temp.path, "log");
  await Deno.writeTextFile(log, "");
  const path = (name: string) => new globalThis.URL(name, import.meta.url);
  const { stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-check", "--allow-all"],
      `--config=${path("../../deno.json").pathname}`,
      ...[path("note_worker.ts").pathname, dir],
    ],
    env: { NO_COLOR: "1", ...await faultEnv(dir, { log, ...options }) },
  }).output();
  // The worker's caller never learns of a fault.
  assertEquals(new TextDecoder().decode(stderr), "");

  await using cache = await MediaCache.open({ cacheDir: dir });
  const bytes = await (await cache.get(URL))?.bytes();
  for (const place of [PLACE, "other"]) {
    const handle = await cache.handle(URL, place);
    if (bytes === undefined || handle === undefined) continue;
    assertEquals(bytes, bytesOf(bytes.length));
    assertEquals(handle, handleOf(bytes.length), place);
  }
  const isWhole = options.fault === undefined;
  if (isWhole) assertEquals(bytes?.length, 400);
  if (isWhole) assertEquals(await cache.handle(URL, "other"), handleOf(400));
  return (await Deno.readTextFile(log)).split("\n")
    .map(parseOperation).filter((each) => each !== undefined);
}

/** Runs the worker with a fault at each operation that changes the folder. */
async function runAtEach(fault: Fault): Promise<void> {
  const operations = await run();
  const problems: string[] = [];
  for (const operation of operations) {
    if (fault.action === "half" && operation.name !== "write") continue;
    try {
      await run({ fault, at: operation.number });
    } catch (error) {
      problems.push(`${describe(operation)}: ${error}`);
    }
  }
  assertEquals(problems, []);
  assert(operations.length > 30, `${operations.length} operations`);
}

Deno.test("no handle stands for other bytes, wherever the process is killed", async () => {
  await runAtEach({ action: "kill" });
  await runAtEach({ action: "half" });
});

Deno.test("no handle stands for other bytes, whatever the disk refuses", async () => {
  await runAtEach({ action: "fail", code: "EIO" });
});
