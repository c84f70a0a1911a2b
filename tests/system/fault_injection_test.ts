import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { isThere } from "../fixtures/directory/files.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";
import {
  describe,
  faultEnv,
  type FaultOptions,
  type Operation,
  parseOperation,
} from "./fault_injection.ts";

/**
 * Does each kind of operation, in the directory given by its first argument.
 */
const PROGRAM = `
  const [dir] = Deno.args;
  await Deno.mkdir(dir);
  Deno.writeTextFileSync(dir + "/a", "12345678");
  await Deno.writeTextFile(dir + "/b", "12345678");
  using file = await Deno.open(dir + "/b", { read: true, write: true });
  await file.lock(true);
  await file.truncate(3);
  await file.syncData();
  await file.write(new TextEncoder().encode("90"));
  if (Deno.statSync(dir + "/a").size !== 8) throw new Error("no facts");
  Deno.utimeSync(dir + "/a", 1, 1);
  await Deno.rename(dir + "/a", dir + "/c");
  Deno.linkSync(dir + "/c", dir + "/d");
  Deno.removeSync(dir + "/d");
  Deno.readTextFileSync(dir + "/c");
  for await (const _ of Deno.readDir(dir));
  using directory = await Deno.open(dir);
  await directory.sync();
  Deno.writeTextFileSync(dir + "-beside", "");`;

const CHANGES = [
  "1: mkdir dir",
  "2: create a",
  "3: write a",
  "4: create b",
  "5: write b",
  "6: truncate b",
  "7: sync b",
  "8: write b",
  "9: utime a",
  "10: rename a -> c",
  "11: link c -> d",
  "12: unlink d",
  "13: sync dir",
];

/** Runs the program, and returns how it ended. */
async function run(options: FaultOptions) {
  await using temp = await tempDir();
  const dir = join(temp.path, "dir");
  const log = join(temp.path, "log");
  const { code, signal, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-config", PROGRAM, dir],
    env: { ...await faultEnv(dir, { log, ...options }), NO_COLOR: "1" },
  }).output();
  const lines = (await Deno.readTextFile(log)).trim().split("\n");
  const operations = lines.map(parseOperation).filter((line) =>
    line
  ) as Operation[];
  const read = async (name: string) =>
    await isThere(join(dir, name))
      ? await Deno.readTextFile(join(dir, name))
      : undefined;
  return {
    code,
    signal,
    errors: new TextDecoder().decode(stderr),
    operations,
    texts: { a: await read("a"), b: await read("b"), c: await read("c") },
  };
}

Deno.test("every operation that changes the directory is counted, and no other", async () => {
  const { code, operations, texts } = await run({});

  assertEquals(code, 0);
  assertEquals(operations.map(describe), CHANGES);
  assertEquals(operations[7], {
    number: 8,
    name: "write",
    file: "b",
    position: 0,
    length: 2,
  });
  assertEquals(texts, { a: undefined, b: "90\u0033", c: "12345678" });
});

Deno.test("other operations are counted on request", async () => {
  const { operations } = await run({
    operations: ["open", "read", "lock", "stat", "list"],
  });

  const seen = new Set(operations.map(({ name, file }) => `${name} ${file}`));
  const wanted = [
    "open b",
    "lock b",
    "stat a",
    "open c",
    "read c",
    "list dir",
    "open dir",
  ];
  assertEquals(wanted.filter((operation) => !seen.has(operation)), []);
});

Deno.test("a process is killed before an operation, or after half of its bytes are written", async () => {
  const before = await run({ at: 3, fault: { action: "kill" } });
  const half = await run({ at: 3, fault: { action: "half" } });
  const last = await run({ at: 13, fault: { action: "half" } });

  const { signal, texts } = before;
  assertEquals([signal, texts.a, texts.b], ["SIGKILL", "", undefined]);
  assertEquals([half.signal, half.texts.a], ["SIGKILL", "1234"]);
  assertEquals([last.signal, last.texts.c], ["SIGKILL", "12345678"]);
});

Deno.test("an operation fails, once or from then on", async () => {
  const fault = { action: "fail", code: "ENOSPC" } as const;
  const once = await run({ at: 7, fault });
  const always = await run({ at: 2, sticky: true, fault });
  const reads = await run({
    operations: ["list"],
    fault: { action: "fail", code: "EMFILE" },
  });

  assertMatch(once.errors, /No space left on device \(os error 28\)/);
  assertEquals(once.operations.length, 7);
  assertEquals(always.texts, { a: undefined, b: undefined, c: undefined });
  assertMatch(reads.errors, /Too many open files \(os error 24\)/);
});

Deno.test("a write is short, and an operation waits", async () => {
  const short = await run({ at: 3, fault: { action: "short" } });
  const start = performance.now();
  const late = await run({ at: 3, fault: { action: "delay", ms: 300 } });

  assertEquals(short.code, 0);
  assertEquals(short.operations.slice(2, 4).map(describe), [
    "3: write a",
    "4: write a",
  ]);
  assertEquals([late.code, late.operations.length], [0, CHANGES.length]);
  assert(performance.now() - start >= 300);
});
