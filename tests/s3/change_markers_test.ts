import { assert, assertEquals } from "@std/assert";
import { s3Tier } from "../../src/s3/s3.ts";
import { remoteKey, remotePut } from "../fixtures/remote/entries.ts";
import { S3Engine } from "../fixtures/remote/s3_engine.ts";
import { ShiftedClock } from "../fixtures/time/shifted_clock.ts";

const KEY = remoteKey("cat");
const OTHER = remoteKey("dog");
const BYTES = new Uint8Array([1, 2, 3]);
const never = new AbortController().signal;

/** Two hosts on one engine. */
function start() {
  const engine = new S3Engine();
  const here = s3Tier(engine.options);
  const there = s3Tier(engine.options);
  return {
    engine,
    here,
    there,
    /** The keys of the changes that the second host is told. */
    async told(after?: string) {
      const { changes, next } = await there.changes!(after, never);
      return { keys: changes.map(({ key }) => key), changes, next };
    },
    async [Symbol.asyncDispose]() {
      await here.close?.();
      await there.close?.();
      await engine[Symbol.asyncDispose]();
    },
  };
}

Deno.test("other hosts are told of what was deleted and replaced, and not of what is new", async () => {
  await using hosts = start();

  await hosts.here.put(remoteKey("new"), remotePut(BYTES), never);
  await hosts.here.put(KEY, remotePut(BYTES, { replaces: true }), never);
  await hosts.here.delete(OTHER, never);

  const { changes } = await hosts.told();
  assertEquals(new Set(changes.map(({ key }) => key)), new Set([KEY, OTHER]));
  for (const { ageMs } of changes) {
    assert(ageMs >= 0 && ageMs < 5000, `${ageMs}`);
  }
});

Deno.test("a host is not told of its own changes", async () => {
  await using hosts = start();

  await hosts.here.delete(KEY, never);

  assertEquals((await hosts.here.changes!(undefined, never)).changes, []);
});

Deno.test("a marker comes behind the change itself", async () => {
  await using hosts = start();

  await hosts.here.put(KEY, remotePut(BYTES, { replaces: true }), never);
  await hosts.here.delete(KEY, never);

  const marker = `changes/v1/`;
  assertEquals(
    hosts.engine.requests.map(({ method, name }) =>
      `${method} ${name.slice(0, marker.length)}`
    ),
    [
      ...[`PUT v1/${KEY.slice(0, 2)}/${KEY.slice(0, 5)}`, `PUT ${marker}`],
      ...[`DELETE v1/${KEY.slice(0, 2)}/${KEY.slice(0, 5)}`, `PUT ${marker}`],
    ],
  );
  const [name] = hosts.engine.names(marker);
  assertEquals(hosts.engine.objects.get(name!)?.bytes.length, 0);
});

Deno.test("a later call goes on where the last one was, and tells the last minute again", async () => {
  await using hosts = start();
  const { engine } = hosts;
  await hosts.here.delete(KEY, never);
  const first = await hosts.told();
  assertEquals(first.keys, [KEY]);

  await hosts.here.delete(OTHER, never);
  assertEquals(
    new Set((await hosts.told(first.next)).keys),
    new Set([KEY, OTHER]),
  );

  // Two minutes later, by the clock of the store.
  engine.clockAheadMs = 120_000;
  const { next } = await hosts.told(first.next);
  assertEquals((await hosts.told(next)).keys, []);
  await hosts.here.delete(KEY, never);
  assertEquals((await hosts.told(next)).keys, [KEY]);
});

Deno.test("wrong clocks of hosts do not matter", async () => {
  await using hosts = start();
  using clock = new ShiftedClock();
  const { next } = await hosts.told();

  clock.aheadMs = -14 * 60_000;
  await hosts.here.delete(KEY, never);
  clock.aheadMs = 14 * 60_000;
  const { changes } = await hosts.told(next);

  assertEquals(changes.map(({ key }) => key), [KEY]);
  assert(changes[0]!.ageMs < 5000, `${changes[0]!.ageMs}`);
});

Deno.test("a listing of several pages is read to its end", async () => {
  await using hosts = start();
  hosts.engine.pageNames = 2;
  const keys = Array.from({ length: 7 }, (_, number) => remoteKey(`${number}`));
  for (const key of keys) await hosts.here.delete(key, never);

  const { keys: told } = await hosts.told();

  assertEquals(told.toSorted(), keys.toSorted());
  assertEquals(hosts.engine.count("GET"), 4);
});

Deno.test("a call reads ten pages, and the next one goes on behind them", async () => {
  await using hosts = start();
  hosts.engine.pageNames = 1;
  const keys = Array.from(
    { length: 13 },
    (_, number) => remoteKey(`${number}`),
  );
  for (const key of keys) await hosts.here.delete(key, never);

  const first = await hosts.told();
  const second = await hosts.told(first.next);

  assertEquals([first.keys.length, second.keys.length], [10, 3]);
  assertEquals([...first.keys, ...second.keys].toSorted(), keys.toSorted());
});

Deno.test("on a slow store a call ends after two seconds, and the next one goes on", async () => {
  await using hosts = start();
  hosts.engine.pageNames = 1;
  const keys = Array.from({ length: 6 }, (_, each) => remoteKey(`${each}`));
  for (const key of keys) await hosts.here.delete(key, never);
  const { now } = performance;
  let tookMs = 0;
  performance.now = () => now.call(performance) + tookMs;
  try {
    hosts.engine.refuse = () => {
      tookMs += 1500;
      return undefined;
    };

    const first = await hosts.told();
    const second = await hosts.told(first.next);
    const third = await hosts.told(second.next);

    const told = [first, second, third].map((each) => each.keys);
    assertEquals(told.map((each) => each.length), [2, 2, 2]);
    assertEquals(told.flat().toSorted(), keys.toSorted());
  } finally {
    performance.now = now;
  }
});

Deno.test("foreign objects among the markers are ignored", async () => {
  await using hosts = start();
  const object = { bytes: BYTES, headers: {}, modifiedMs: 0 };
  for (
    const name of [
      "readme.txt",
      "<Key>x</Key>",
      "a&b",
      "%zz",
      `20261130T101507Z-${KEY}`,
    ]
  ) {
    hosts.engine.objects.set(`changes/v1/${name}`, object);
  }
  await hosts.here.delete(KEY, never);

  assertEquals((await hosts.told()).keys, [KEY]);
});

Deno.test("hosts with another prefix are not told", async () => {
  await using engine = new S3Engine();
  const here = s3Tier({ ...engine.options, prefix: "a/" });
  const there = s3Tier({ ...engine.options, prefix: "b/" });

  await here.delete(KEY, never);

  assertEquals((await there.changes!(undefined, never)).changes, []);
  assertEquals(engine.names()[0]?.startsWith("a/changes/v1/"), true);
  await here.close?.();
  await there.close?.();
});
