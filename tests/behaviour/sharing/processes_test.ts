import { setImmediate } from "node:timers";
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { pattern } from "../../fixtures/bodies/bytes.ts";
import {
  bodyBytesIn,
  isThere,
  namesIn,
  pathsOf,
} from "../../fixtures/directory/files.ts";
import { followTogether } from "../../fixtures/sharing/follow_lags.ts";
import { turn } from "../../fixtures/cache/recorder.ts";
import { share } from "../../fixtures/sharing/sharing_processes.ts";
import { SlowOrigin } from "../../fixtures/sharing/slow_origin.ts";

const STEP = 4096;
const CHUNKS = Array.from({ length: 40 }, (_, i) => pattern(STEP, i + 1));
const SIZE = STEP * CHUNKS.length;

/** A step that takes longer than this hangs; an idle machine needs far less. */
const HANGING_MS = 10_000;

function sha256(chunks: Uint8Array<ArrayBuffer>[]): Promise<string> {
  return new Blob(chunks).bytes()
    .then((bytes) => crypto.subtle.digest("SHA-256", bytes))
    .then((hash) => new Uint8Array(hash).toHex());
}

function tell(line: string): void {
  // deno-lint-ignore no-console -- a figure of this machine
  console.log(line);
}

function stray(names: string[]): string[] {
  return names.filter((name) => name.endsWith(".part"));
}

Deno.test("4 processes of 25 callers each cause one request, and follow each other closely", async () => {
  await using processes = await share(4);
  const { all, cacheDir } = processes;
  await using origin = new SlowOrigin(CHUNKS, 25);

  const { wanted, lagsMs } = await followTogether(all, origin.url, 25, STEP);

  assertEquals(origin.requests.length, 1);
  const digest = await sha256(CHUNKS);
  for (const { digests, errors } of wanted) {
    assertEquals([digests, errors], [[digest], []]);
  }
  const [p50, p99, max] = [0.5, 0.99, 1].map((part) =>
    lagsMs[Math.ceil(part * lagsMs.length) - 1]
  );
  tell(`followers are behind by ${p50} ms, p99 ${p99} ms, at most ${max} ms`);
  assertEquals(lagsMs.length, 3 * CHUNKS.length);
  assert(max !== undefined && max < 1000);
  await Promise.all(all.map((process) => process.ask("close")));
  assertEquals((await namesIn(cacheDir)).length, 2);
});

Deno.test("each process sees the entries that another stores, replaces or deletes", async () => {
  await using processes = await share(3);
  const { all: [one, two, three] } = processes;
  assert(one !== undefined && two !== undefined && three !== undefined);

  await one.ask("put", "a", 1, 1000);
  assertEquals(await two.ask("get", "a"), [1, "disk"]);
  assertEquals(await three.ask("get", "a"), [1, "disk"]);
  assertEquals((await two.ask("get", "a"))?.[1], "memory");

  await one.ask("put", "a", 2, 1000);
  const ms = await Promise.all([
    two.ask("see", "a", 2),
    three.ask("see", "a", 2),
  ]);
  await three.ask("delete", "a");
  ms.push(
    ...await Promise.all([
      one.ask("see", "a", null),
      two.ask("see", "a", null),
    ]),
  );

  tell(
    `RAM of the others is stale for ${Math.max(...ms).toFixed(0)} ms at most`,
  );
  for (const process of processes.all) {
    assertEquals((await process.ask("stats")).entriesInMemory, 0);
  }
});

Deno.test("a process does not evict an entry that another process uses", async () => {
  await using processes = await share(3, { maxSizeMb: 3000 / 1_048_576 });
  const { all: [one, two, three] } = processes;
  assert(one !== undefined && two !== undefined && three !== undefined);
  for (const url of ["a", "b", "c"]) await one.ask("put", url, 1, 1000);
  await two.ask("get", "a");
  await two.ask("close");

  await three.ask("put", "d", 1, 1000);

  assertEquals(await one.ask("get", "b"), null);
  assertEquals((await one.ask("get", "a"))?.[0], 1);
});

Deno.test("processes that store at the same time keep the directory within the budget", async () => {
  const maxBytes = 200_000;
  await using processes = await share(3, {
    maxSizeMb: maxBytes / 1_048_576,
  });
  const { all, cacheDir } = processes;
  const filling = all.map((process, i) =>
    process.ask("fill", `${i % 2}`, 30_000)
  );
  // If the test fails before they end, their errors do not matter.
  for (const one of filling) one.catch(() => {});
  let [most, samples] = [0, 0];
  const stores = async () => {
    const counts = await Promise.all(all.map((each) => each.ask("filled")));
    return counts.reduce((sum, count) => sum + count, 0);
  };
  for (
    const end = Date.now() + 1500;
    Date.now() < end || samples < 100 || await stores() < 100;
  ) {
    await new Promise((resolve) => setImmediate(resolve));
    const bytes = sampledBytes(cacheDir);
    if (bytes === undefined) continue;
    samples++;
    assert(bytes <= maxBytes, `${bytes} of ${maxBytes} bytes`);
    most = Math.max(most, bytes);
  }
  await Promise.all(all.map((process) => process.ask("stop")));
  const counts = await Promise.all(filling);

  assert(samples >= 100);
  assert(counts.reduce((sum, count) => sum + count, 0) >= 100);
  tell(
    `${counts} stores, ${samples} samples, at most ${most} of ${maxBytes} bytes`,
  );
  const bytes = await bodyBytesIn(cacheDir);
  for (const process of all) {
    await process.ask("put", "last", 1, 1);
    assertEquals(await process.ask("faults"), []);
  }
  for (const process of all) {
    await process.ask("see", "last", 1);
    const { totalBytes } = await process.ask("stats");
    assertEquals(totalBytes, await bodyBytesIn(cacheDir));
  }
  assert(bytes <= maxBytes);
  await Promise.all(all.map((process) => process.ask("close")));
  assertEquals(stray(await namesIn(cacheDir)), []);
});

/** The bytes of bodies; undefined if a body changed during the look. */
function sampledBytes(dir: string): number | undefined {
  const look = () => {
    const bodies = new Map<string, number>();
    let bytes = 0;
    for (const { name } of Deno.readDirSync(dir)) {
      if (!name.endsWith(".dat")) continue;
      const { ino, size } = Deno.statSync(join(dir, name));
      bodies.set(`${name} ${ino}`, size);
      bytes += size;
    }
    return { bodies, bytes };
  };
  try {
    const [before, after] = [look(), look()];
    const isSame = before.bodies.size === after.bodies.size &&
      after.bodies.entries().every(([body, size]) =>
        before.bodies.get(body) === size
      );
    return isSame ? after.bytes : undefined;
  } catch {
    // A file was evicted.
  }
  return undefined;
}

Deno.test("holders killed before the first byte are replaced by one other each", async () => {
  await using processes = await share(4);
  await using origin = new SlowOrigin(CHUNKS, 1, ["silent", "silent"]);
  const wanting = new Map(processes.all.map((process) => [
    process,
    process.ask("want", origin.url, 5, STEP).catch(() => undefined),
  ]));

  const first = (await origin.asked(1, processes.all)).process;
  let killed = performance.now();
  first.kill("SIGKILL");
  const times: number[] = [];
  const second = await origin.asked(2, processes.all);
  times.push(second.time - killed);
  killed = performance.now();
  second.process.kill("SIGKILL");
  const third = await origin.asked(3, processes.all);
  times.push(third.time - killed);

  const digest = await sha256(CHUNKS);
  for (const process of processes.except(first, second.process)) {
    const wanted = await wanting.get(process);
    assertEquals([wanted?.digests, wanted?.errors], [[digest], []]);
  }
  assertEquals(origin.requests.length, 3);
  tell(`taken over after ${times.map((ms) => ms.toFixed(0)).join(" and ")} ms`);
  assert(Math.max(...times) < HANGING_MS);
});

Deno.test("when a holder is killed with bytes sent, readers with bytes get an error and the others continue", async () => {
  await using processes = await share(3);
  await using origin = new SlowOrigin(CHUNKS, 1, ["partial"]);
  const [one, two] = processes.all;
  assert(one !== undefined && two !== undefined);
  const taking = processes.all.map((process) =>
    process.ask("take", "begun", origin.url)
  );
  await Promise.all(taking);
  const { process: holder } = await origin.asked(1, processes.all);
  const others = processes.except(holder);
  for (const process of others) {
    await process.ask("take", "unread", origin.url);
    await process.ask("readSome", "begun", 1);
  }

  const killed = performance.now();
  holder.kill("SIGKILL");

  for (const process of others) {
    const rest = await process.ask("readRest", "begun");
    assert(String(rest).includes("has ended"), `${rest}`);
    assertEquals(await process.ask("readRest", "unread"), SIZE);
  }
  const { time } = await origin.asked(2, others);
  tell(`taken over after ${(time - killed).toFixed(0)} ms`);
  assert(time - killed < HANGING_MS);
  assertEquals(origin.requests.length, 2);
});

Deno.test("a hanging holder delays the others by idleTimeoutMs", async () => {
  await using processes = await share(3, { idleTimeoutMs: 1000 });
  await using origin = new SlowOrigin(CHUNKS, 1, ["silent"]);
  const wanting = new Map(processes.all.map((process) => [
    process,
    process.ask("want", origin.url, 5, STEP).catch(() => undefined),
  ]));
  const { process: holder } = await origin.asked(1, processes.all);
  const stopped = performance.now();
  holder.kill("SIGSTOP");

  const digest = await sha256(CHUNKS);
  for (const process of processes.except(holder)) {
    const wanted = await wanting.get(process);
    assertEquals([wanted?.digests, wanted?.errors], [[digest], []]);
  }
  assertEquals(origin.requests.length, 2);
  const ms = performance.now() - stopped;
  tell(`the others had all after ${ms.toFixed(0)} ms of 1000`);
  assert(ms < HANGING_MS);
});

Deno.test("a process that waits for two stopped ones, one after the other, gets its bytes", async () => {
  await using processes = await share(3, { idleTimeoutMs: 500 });
  await using origin = new SlowOrigin(CHUNKS, 1, ["silent", "silent"]);
  const wanting = new Map(processes.all.map((process) => [
    process,
    process.ask("want", origin.url, 5, STEP).catch(() => undefined),
  ]));
  const { process: first } = await origin.asked(1, processes.all);
  first.kill("SIGSTOP");
  const others = processes.except(first);
  const { process: second } = await origin.asked(2, others);
  second.kill("SIGSTOP");

  for (const process of others.filter((each) => each !== second)) {
    const wanted = await wanting.get(process);
    const digest = await sha256(CHUNKS);
    assertEquals([wanted?.digests, wanted?.errors], [[digest], []]);
  }
  assertEquals(origin.requests.length, 3);
});

Deno.test("of the processes that wait for a stopped one a single one downloads, and the others follow it", async () => {
  await using processes = await share(5, { idleTimeoutMs: 1000 });
  await using origin = new SlowOrigin(CHUNKS, 25, ["partial"]);
  const [holder, ...others] = processes.all;
  assert(holder !== undefined);
  await holder.ask("take", "mine", origin.url);
  for (const process of others) {
    await process.ask("take", "begun", origin.url);
    await process.ask("take", "unread", origin.url);
  }

  holder.kill("SIGSTOP");

  const sizes = await Promise.all(others.map(async (process) => {
    const rest = await process.ask("readRest", "begun");
    assert(String(rest).includes("DownloadTimeoutError"), `${rest}`);
    return await process.ask("readRest", "unread");
  }));
  assertEquals(sizes, others.map(() => SIZE));
  assertEquals(origin.requests.length, 2);
});

Deno.test("a holder stopped with bytes sent delays the others by idleTimeoutMs, and goes on when it is continued", async () => {
  await using processes = await share(2, { idleTimeoutMs: 1000 });
  await using origin = new SlowOrigin(CHUNKS, 25);
  const [holder, other] = processes.all;
  assert(holder !== undefined && other !== undefined);
  await holder.ask("take", "first", origin.url);
  await holder.ask("readSome", "first", 1);
  await other.ask("take", "begun", origin.url);
  await other.ask("readSome", "begun", 1);
  await other.ask("take", "unread", origin.url);

  holder.kill("SIGSTOP");

  const rest = await other.ask("readRest", "begun");
  assert(String(rest).includes("DownloadTimeoutError"), `${rest}`);
  assertEquals(await other.ask("readRest", "unread"), SIZE);
  const wanted = await other.ask("want", origin.url, 5, STEP);
  assertEquals([wanted.calls, wanted.errors], [0, []]);
  assertEquals(origin.requests.length, 2);
  holder.kill("SIGCONT");
  const mine = await holder.ask("readRest", "first");
  assert(typeof mine === "number", `${mine}`);
  assertEquals(await holder.ask("faults"), []);
});

Deno.test("a process that hangs during a commit blocks no reader", async () => {
  await using processes = await share(2);
  const [stopped, other] = processes.all;
  assert(stopped !== undefined && other !== undefined);
  await other.ask("put", "a", 1, 1000);
  await other.ask("put", "large", 1, 5_000_000);
  await stopped.ask("get", "a");
  const putting = stopped.ask("stopInCommit", "b");
  const { dat } = pathsOf(processes.cacheDir, "b");
  while (!await isThere(dat)) await turn();

  const start = performance.now();
  assertEquals(await other.ask("get", "a"), [1, "memory"]);
  assertEquals(await other.ask("get", "large"), [1, "disk"]);
  assertEquals(await other.ask("get", "b"), null);
  const ms = performance.now() - start;
  const waiting = other.ask("put", "c", 3, 1000);
  stopped.kill("SIGCONT");

  await putting;
  assertEquals(await waiting, true);
  assertEquals((await stopped.ask("get", "c"))?.[0], 3);
  assertEquals((await other.ask("get", "b"))?.[0], 1);
  tell(`three lookups took ${ms.toFixed(0)} ms beside a lock that hangs`);
});

for (const maxMemoryItems of [0, 64]) {
  const tier = maxMemoryItems === 0 ? "without" : "with";
  Deno.test(`no read ${tier} a memory tier is torn while others replace and delete`, async () => {
    await using processes = await share(4, { maxMemoryItems });
    const [one, two, ...readers] = processes.all;
    assert(one !== undefined && two !== undefined);
    const urls = ["a", "b", "c"];
    const sizes = [2000, 2000, 2001, 70_000];
    const writing = [
      one.ask("replace", urls, [1, 2, 3], sizes),
      two.ask("replace", urls, [4, 5, 6], sizes),
    ];

    const reads = await Promise.all(
      readers.map((process) => process.ask("read", urls, 1000)),
    );
    await Promise.all([one.ask("stop"), two.ask("stop")]);
    const writes = await Promise.all(writing);

    const sum = (name: "bodies" | "fromMemory" | "misses") =>
      reads.reduce((sum, read) => sum + read[name], 0);
    tell(
      `${sum("bodies")} reads, ${sum("fromMemory")} from RAM, ${
        sum("misses")
      } misses, ${writes} writes`,
    );
    assertEquals(reads.flatMap(({ torn }) => torn), []);
    assertEquals(reads.flatMap(({ errors }) => errors), []);
    for (const process of processes.all) {
      assertEquals(await process.ask("faults"), []);
    }
  });
}
