/** Downloads of another process that break and go on, or are tried again. */
import { assertEquals } from "@std/assert";
import type { Downloader } from "../../../mod.ts";
import { pattern, readRest, readSome } from "../../fixtures/bodies/bytes.ts";
import { Progress, turn } from "../../fixtures/cache/recorder.ts";
import { RawServer, wholeOrRest } from "../../fixtures/servers/raw_server.ts";
import { pair } from "../../fixtures/sharing/pair.ts";
import { HastenedWaits } from "../../fixtures/time/hastened_waits.ts";
import { idle } from "../../fixtures/time/idle.ts";

const BODY = pattern(400_000);
const FACTS = { "Content-Type": "application/x-test", ETag: '"one"' };
const get: Downloader = ({ url, signal, headers }) =>
  fetch(url, { signal, headers });
const PATIENT = { idleTimeoutMs: 2_000, retries: 1 };
const IMPATIENT = { idleTimeoutMs: 400 };

function never(): Promise<never> {
  throw new Error("not called");
}

Deno.test("followers in another process wait while a body that broke is asked for again", async () => {
  const { promise: broken, resolve: breakOff } = Promise.withResolvers<void>();
  const { promise: held, resolve: goOn } = Promise.withResolvers<void>();
  await using server = new RawServer(async (request) => {
    const answer = wholeOrRest(request, BODY, FACTS);
    if (request.index === 0) return { ...answer, cut: 100_000, held: broken };
    await held;
    return answer;
  });
  await using caches = await pair(PATIENT, IMPATIENT);
  const { one, two } = caches;
  const progress = new Progress();

  const mine = one.getOrDownload(server.url(), get, progress);
  await progress.reached(100_000);
  const begun = await two.getOrDownload(server.url(), never);
  const reader = begun.body.getReader();
  const start = await readSome(reader, 100_000);
  const unread = await two.getOrDownload(server.url(), never);
  breakOff();
  await server.requests(2);
  await idle(two, 2);
  goOn();

  assertEquals(await (await mine).bytes(), BODY);
  assertEquals(new Uint8Array([...start, ...await readRest(reader)]), BODY);
  assertEquals(await unread.bytes(), BODY);
  assertEquals([await begun.stored, one.stats().resumed], [true, 1]);
  assertEquals(two.stats().failures, 2);
});

Deno.test("followers in another process wait while a failed download is tried again, and stream with it", async () => {
  const { promise: held, resolve: goOn } = Promise.withResolvers<void>();
  const { promise: whole, resolve: end } = Promise.withResolvers<void>();
  using _waits = new HastenedWaits({ toMs: 600, held });
  await using server = new RawServer((request) => {
    const answer = wholeOrRest(request, BODY, FACTS);
    if (request.index === 0) return { status: 503 };
    if (request.index > 1) return answer;
    return { ...answer, cut: 100_000, held: whole };
  });
  await using caches = await pair(PATIENT, IMPATIENT);
  const { one, two } = caches;

  const mine = one.getOrDownload(server.url(), get);
  await server.requests(1);
  while (one.inFlight()[0]?.phase !== "waiting") await turn();
  const theirs = two.getOrDownload(server.url(), never);
  await idle(two, 2);
  assertEquals(two.inFlight()[0]?.phase, "waiting");
  goOn();

  // The description of the wait gives way to the facts of the body.
  const reader = (await theirs).body.getReader();
  const start = await readSome(reader, 100_000);
  end();
  assertEquals(await (await mine).bytes(), BODY);
  assertEquals(new Uint8Array([...start, ...await readRest(reader)]), BODY);
  const { resumed, retried } = one.stats();
  assertEquals([resumed, retried], [1, 1]);
});
