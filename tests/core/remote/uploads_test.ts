import { assertEquals } from "@std/assert";
import { OptionCheck } from "../../../src/core/api/option_check.ts";
import { resolveRemote } from "../../../src/core/api/remote_option.ts";
import { digestOf } from "../../../src/core/bodies/digest.ts";
import { MemoryBody } from "../../../src/core/bodies/stored_body.ts";
import { Breaker } from "../../../src/core/remote/breaker.ts";
import { RemoteCalls } from "../../../src/core/remote/remote_calls.ts";
import { RemoteCounters } from "../../../src/core/remote/remote_counters.ts";
import { UploadBody } from "../../../src/core/remote/upload_source.ts";
import { Uploads } from "../../../src/core/remote/uploads.ts";
import { EventHub } from "../../../src/core/reporting/event_hub.ts";
import { pattern } from "../../fixtures/bodies/bytes.ts";
import { StandInTier } from "../../fixtures/remote/stand_in_tier.ts";

const BYTES = pattern(1_000);

/** Uploads of the same bytes for each key, to a tier whose breaker has a clock of the test. */
function uploads() {
  let now = 0;
  const tier = new StandInTier();
  const remote = resolveRemote(new OptionCheck("test"), tier);
  if (remote === undefined) throw new Error("no tier");
  const counters = new RemoteCounters();
  const hub = new EventHub(() => {});
  const breaker = new Breaker(() => now);
  const calls = new RemoteCalls(remote.limits, hub, counters, breaker);
  const facts = { mimetype: "a/b", filename: "a", storedAt: 0 };
  const entry = { ...facts, size: BYTES.length, sha256: digestOf(BYTES) };
  const open = () =>
    Promise.resolve(new UploadBody(entry, new MemoryBody(BYTES, undefined)));
  const givenUp: string[] = [];
  const uploads = new Uploads(remote, { open }, calls, counters, {
    deleted: () => Promise.resolve(),
    onStored: () => {},
    onGivenUp: (key) => givenUp.push(key),
  });
  return {
    ...{ uploads, tier, calls, counters, givenUp },
    pass: (ms: number) => void (now += ms),
  };
}

const broken = () => Promise.reject(new Error("broken"));

Deno.test("after a cool-down a short call asks the tier before an upload does", async () => {
  const { uploads: it, tier, calls, givenUp, pass } = uploads();
  for (let i = 0; i < 4; i++) await calls.run(broken, { timeoutMs: 1_000 });
  it.add("during", BYTES.length, false);
  assertEquals(givenUp, ["during"]);
  pass(5_000);

  it.add("after", BYTES.length, false);
  await it.settled();

  assertEquals(tier.calls, ["has", "put"]);
  assertEquals([...tier.bucket.objects.keys()], ["after"]);
});

Deno.test("a tier that still fails after the cool-down is given no upload", async () => {
  const { uploads: it, tier, calls, givenUp, pass } = uploads();
  for (let i = 0; i < 4; i++) await calls.run(broken, { timeoutMs: 1_000 });
  pass(5_000);
  tier.before = broken;

  it.add("after", BYTES.length, false);
  await it.settled();

  assertEquals(tier.calls, ["has"]);
  assertEquals(givenUp, ["after"]);
});

Deno.test("uploads run a few at a time, in the order of their stores", async () => {
  const { uploads: it, tier } = uploads();
  for (let i = 0; i < 50; i++) it.add(`${i}`, BYTES.length, false);
  await it.settled();

  assertEquals(tier.bucket.objects.size, 50);
  assertEquals(tier.mostRunning, 2);
});

Deno.test("close() ends uploads that wait and that run", async () => {
  const { uploads: it, tier, counters } = uploads();
  tier.before = () => new Promise(() => {});
  for (let i = 0; i < 5; i++) it.add(`${i}`, BYTES.length, false);
  await tier.begun("put", 2);

  it.close();
  await it.settled();

  assertEquals([it.count, tier.count("put"), counters.uploads], [0, 2, 0]);
});
