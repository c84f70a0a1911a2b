/** Deletions and replacements reach the remote tier, and other hosts. */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { HttpStatusError, MediaCache } from "../../../mod.ts";
import { yieldToEventLoop } from "../../../src/core/async/pacer.ts";
import { CHANGES_NAME } from "../../../src/core/disk/file_names.ts";
import { assertBytes, pattern } from "../../fixtures/bodies/bytes.ts";
import { origin } from "../../fixtures/remote/counted_origin.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";
import { remoteKey } from "../../fixtures/remote/entries.ts";
import {
  openHost,
  openTwo,
  openWatching,
} from "../../fixtures/remote/hosts.ts";
import { never, StandInTier } from "../../fixtures/remote/stand_in_tier.ts";
import { begin } from "../../fixtures/cache/begun.ts";
import { CallFault } from "../../fixtures/faults/disk_faults.ts";
import { turn } from "../../fixtures/cache/recorder.ts";
import { awake } from "../../fixtures/time/awake.ts";
import { ShiftedClock } from "../../fixtures/time/shifted_clock.ts";

const URL_A = "https://example.org/a.bin";
const OLD = pattern(1_000, 1);
const NEW = pattern(1_000, 2);

Deno.test("delete() and deleteByKey() delete the object", async () => {
  await using host = await openHost();
  const { cache, tier, bucket } = host;
  for (const url of ["https://example.org/1", "https://example.org/2"]) {
    await cache.put(url, OLD, "a/b", "a");
  }
  await tier.ended("put", 2);
  // The most recent entry comes first.
  const [{ key: second } = { key: "" }] = await Array.fromAsync(
    cache.entries(),
  );

  assertEquals(await cache.delete("https://example.org/1"), true);
  assertEquals([...bucket.objects.keys()], [second]);
  assertEquals(await cache.deleteByKey(second), true);

  assertEquals(bucket.objects.size, 0);
});

Deno.test("a deletion of what is not stored here deletes the object, too", async () => {
  await using opened = await openTwo();
  const { one, two } = opened;
  await one.cache.put(URL_A, OLD, "a/b", "a");
  await one.tier.ended("put");

  assertEquals(await two.cache.delete(URL_A), false);

  assertEquals(opened.bucket.objects.size, 0);
});

Deno.test("another host forgets its handles after a deletion, also without an entry", async () => {
  await using opened = await openWatching();
  const { one, two } = opened;
  await one.cache.put(URL_A, OLD, "a/b", "a");
  await one.tier.ended("put");
  await two.cache.setHandle(URL_A, "place", "old");

  await one.cache.delete(URL_A);

  while (await two.cache.handle(URL_A, "place") !== undefined) await turn();
});

Deno.test("another host drops its entry after a deletion", async () => {
  await using opened = await openWatching();
  const { one, two } = opened;
  await one.cache.put(URL_A, OLD, "a/b", "a");
  await one.tier.ended("put");
  await (await two.cache.getOrDownload(URL_A, origin(OLD).download)).bytes();

  await one.cache.delete(URL_A);
  await two.recorder.seen("dropped");

  assertEquals(await two.cache.get(URL_A), undefined);
  assertEquals(two.tier.count("delete"), 0);
  await two.cache.close();
  assertEquals(two.cache.stats().remote?.changesApplied, 1);
});

Deno.test("another host gets the new bytes after a replacement", async () => {
  await using opened = await openWatching();
  const { one, two } = opened;
  await one.cache.put(URL_A, OLD, "a/b", "a");
  await one.tier.ended("put");
  await (await two.cache.getOrDownload(URL_A, origin(OLD).download)).bytes();

  await one.cache.put(URL_A, NEW, "a/b", "a", { replace: true });
  await two.recorder.seen("dropped");

  const media = await two.cache.getOrDownload(URL_A, origin(OLD).download);
  assertBytes(await media.bytes(), NEW);
});

Deno.test("an entry that was stored after the change stays", async () => {
  await using opened = await openWatching();
  const { two, bucket } = opened;
  await two.cache.put(URL_A, NEW, "a/b", "a");
  const [key = ""] = [...bucket.objects.keys()];
  bucket.changes.push({ key, host: "0", at: Date.now() - 60_000 });

  await two.tier.ended("changes", 3);

  assertEquals(await two.cache.has(URL_A), true);
});

Deno.test("a host that was away learns of changes when its cache is first used", async () => {
  using clock = new ShiftedClock();
  await using opened = await openTwo();
  const { one, two, bucket } = opened;
  await one.cache.put(URL_A, OLD, "a/b", "a");
  await one.tier.ended("put");
  await (await two.cache.getOrDownload(URL_A, origin(OLD).download)).bytes();
  await two.cache.close();
  clock.aheadMs += 30_000;
  await one.cache.delete(URL_A);
  assertEquals(bucket.changes.length, 1);

  const tier = new StandInTier({ bucket, host: "again" });
  const { promise, resolve } = Promise.withResolvers<void>();
  await using cache = new MediaCache({
    cacheDir: two.cacheDir,
    remote: tier,
    onEvent: ({ type }) => type === "dropped" && resolve(),
  });
  for (let i = 0; i < 20; i++) await turn();
  assertEquals(tier.calls, []);
  assertBytes(await (await cache.get(URL_A))?.bytes(), OLD);
  await promise;

  assertEquals(await cache.has(URL_A), false);
  // Of the object of its entry it asks once.
  assertEquals(tier.calls, ["changes", "get"]);
});

Deno.test("a deletion that fails is made good later, and its object is not served meanwhile", async () => {
  await using host = await openHost();
  const { cache, tier, bucket } = host;
  await cache.put(URL_A, OLD, "a/b", "a");
  await tier.ended("put");
  let failures = 1;
  tier.before = (method) => {
    if (method === "delete" && failures-- > 0) throw new TypeError("reset");
  };

  assertEquals(await cache.delete(URL_A), true);
  assertEquals(bucket.objects.size, 1);
  const source = origin(NEW);
  const media = await cache.getOrDownload(URL_A, source.download);
  assertBytes(await media.bytes(), NEW);
  assertEquals(source.calls, 1);
  await cache.close();

  // The new entry has taken the place of the old object.
  assertEquals([...bucket.objects.values()][0]?.bytes, NEW);
  assertEquals(bucket.changes.length, 1);
});

Deno.test("an object is not served while the deletion of its entry waits for the lock", async () => {
  await using opened = await openTwo({ others: [{}, { maxEntryMb: 0 }] });
  const { one, two } = opened;
  await one.cache.put(URL_A, OLD, "a/b", "a");
  await one.tier.ended("put");
  const path = join(two.cacheDir, CHANGES_NAME);
  using holder = await Deno.open(path, { write: true, create: true });
  await holder.lock(true);

  const deleted = two.cache.delete(URL_A);
  const media = await two.cache.getOrDownload(URL_A, origin(NEW).download);
  await holder.unlock();

  assertBytes(await media.bytes(), NEW);
  await deleted;
  assertEquals(opened.bucket.objects.size, 0);
});

Deno.test("close() tries a failed deletion once more", async () => {
  await using host = await openHost();
  const { cache, tier, bucket } = host;
  await cache.put(URL_A, OLD, "a/b", "a");
  await tier.ended("put");
  let failures = 1;
  tier.before = (method) => {
    if (method === "delete" && failures-- > 0) throw new TypeError("reset");
  };

  await cache.delete(URL_A);
  await cache.close();

  assertEquals(bucket.objects.size, 0);
});

Deno.test("delete() waits for a tier that hangs no longer than for a lookup", async () => {
  await using host = await openHost({ limits: { lookupTimeoutMs: 30 } });
  const { cache, tier } = host;
  await cache.put(URL_A, OLD, "a/b", "a");
  await tier.ended("put");
  tier.before = () => never();

  assertEquals(await cache.delete(URL_A), true);

  assertEquals(await cache.has(URL_A), false);
  await cache.close({ abort: true });
});

Deno.test("a deletion during the upload leaves no object", async () => {
  await using host = await openHost();
  const { cache, tier, bucket, recorder } = host;
  const gate = tier.hold("put");
  await cache.put(URL_A, OLD, "a/b", "a");
  await tier.begun("put");

  const deleted = cache.delete(URL_A);
  await recorder.seen("deleted");
  for (let i = 0; i < 20; i++) await turn();
  gate();
  assertEquals(await deleted, true);
  await cache.close();

  assertEquals(bucket.objects.size, 0);
});

Deno.test("a deletion while the object is received stores nothing", async () => {
  await using opened = await openTwo();
  const { one, two } = opened;
  const bytes = pattern(1_000_000);
  await one.cache.put(URL_A, bytes, "a/b", "a");
  await one.tier.ended("put");

  const media = await two.cache.getOrDownload(URL_A, origin(bytes).download);
  await two.cache.delete(URL_A);

  assertBytes(await media.bytes(), bytes);
  assertEquals(await media.stored, false);
  assertEquals(opened.bucket.objects.size, 0);
});

Deno.test("a replacement that can't be uploaded deletes the old object", async () => {
  await using host = await openHost({ limits: { maxEntryMb: 0.5 } });
  const { cache, tier, bucket } = host;
  await cache.put(URL_A, OLD, "a/b", "a");
  await tier.ended("put");

  const large = pattern(600_000);
  await cache.put(URL_A, large, "a/b", "a", { replace: true });
  await tier.ended("delete");

  assertEquals(bucket.objects.size, 0);
});

Deno.test("a download that began before a change, and still runs, is not stored", async () => {
  await using opened = await openWatching();
  using clock = new ShiftedClock();
  const { one, two } = opened;
  const { tap, call } = await begin(two.cache, URL_A);
  tap.write(OLD);
  const media = await call;

  clock.aheadMs += 30_000;
  await one.cache.delete(URL_A);
  clock.aheadMs += 30_000;
  await two.tier.ended("changes", two.tier.count("changes") + 2);
  tap.end();

  assertBytes(await media.bytes(), OLD);
  assertEquals(await media.stored, false);
});

Deno.test("a download that began before a change, and was stored after it, is dropped here and there", async () => {
  await using opened = await openWatching();
  using clock = new ShiftedClock();
  const { one, two, bucket } = opened;
  const { tap, call } = await begin(two.cache, URL_A);
  const gate = two.tier.hold("changes");
  tap.write(OLD);
  const media = await call;

  clock.aheadMs += 30_000;
  await one.cache.delete(URL_A);
  clock.aheadMs += 30_000;
  tap.end();
  assertBytes(await media.bytes(), OLD);
  assertEquals(await media.stored, true);
  await two.tier.ended("put");
  assertEquals(bucket.objects.size, 1);
  gate();
  await two.recorder.seen("dropped");
  await two.tier.ended("delete");

  assertEquals(await two.cache.has(URL_A), false);
  assertEquals(bucket.objects.size, 0);
});

for (const isEvicted of [false, true]) {
  const title = isEvicted ? " and evicted" : "";
  Deno.test(`an entry that was stored before a change, uploaded after it${title} leaves no object`, async () => {
    await using opened = await openWatching({ options: { maxSizeMb: 0.0015 } });
    const { one, two, bucket } = opened;
    const upload = two.tier.hold("put");
    const look = two.tier.hold("changes");
    await two.cache.put(URL_A, OLD, "a/b", "a");
    await two.tier.begun("put");

    await one.cache.delete(URL_A);
    upload();
    await two.tier.ended("put");
    assertEquals(bucket.objects.size, 1);
    if (isEvicted) await two.cache.put(`${URL_A}?2`, OLD, "a/b", "a");
    if (isEvicted) await two.tier.ended("put", 2);
    look();
    await two.tier.ended("delete");

    assertEquals(await two.cache.has(URL_A), false);
    assertEquals(bucket.objects.size, isEvicted ? 1 : 0);
  });
}

Deno.test("what another host has put after its deletion stays, also over a late upload", async () => {
  await using opened = await openWatching();
  const { one, two, bucket } = opened;
  const upload = two.tier.hold("put");
  const look = two.tier.hold("changes");
  await two.cache.put(URL_A, OLD, "a/b", "a");
  await two.tier.begun("put");
  await one.cache.delete(URL_A);
  upload();
  await two.tier.ended("put");
  await one.cache.put(URL_A, NEW, "a/b", "a");
  await one.tier.ended("put");

  look();
  await two.recorder.seen("dropped");
  await two.tier.ended("get");
  await two.cache.close();

  assertEquals(two.tier.count("delete"), 0);
  assertEquals([...bucket.objects.values()][0]?.bytes, NEW);
});

Deno.test("an upload that runs when a change is learnt of leaves no object", async () => {
  await using opened = await openWatching();
  const { one, two } = opened;
  const upload = two.tier.hold("put");
  await two.cache.put(URL_A, OLD, "a/b", "a");
  await two.tier.begun("put");

  await one.cache.delete(URL_A);
  await two.recorder.seen("dropped");
  for (let i = 0; i < 20; i++) await turn();
  upload();
  await two.cache.close();

  assertEquals(opened.bucket.objects.size, 0);
});

Deno.test("a change that the disk has kept from its effect is tried again", async () => {
  await using opened = await openWatching();
  const { one, two } = opened;
  await two.cache.put(URL_A, OLD, "a/b", "a");
  await two.tier.ended("put");
  {
    using _fault = new CallFault("removeSync", new Error("I/O error"));
    await one.cache.delete(URL_A);
    await two.recorder.seen("diskError");
    await two.tier.ended("changes", two.tier.count("changes") + 2);
    assertEquals(two.recorder.of("dropped").length, 0);
  }

  await two.recorder.seen("dropped");

  assertEquals(await two.cache.has(URL_A), false);
});

Deno.test("a change is tried again if the disk could not tell whether there is an entry", async () => {
  await using opened = await openWatching({ limits: { uploadTimeoutMs: 1 } });
  const { one, two } = opened;
  // The cache of the host has not seen the entry of another process.
  await using neighbour = new MediaCache({ cacheDir: two.cacheDir });
  await neighbour.put(URL_A, OLD, "a/b", "a");
  const gate = two.tier.hold("changes");
  await two.cache.get(`${URL_A}?other`);
  await one.cache.delete(URL_A);
  {
    using _fault = new CallFault("openSync", new Error("I/O error"));
    gate();
    await two.tier.ended("changes", two.tier.count("changes") + 2);
  }
  await two.tier.ended("changes", two.tier.count("changes") + 2);

  assertEquals(await neighbour.has(URL_A), false);
});

Deno.test("a replacement by another process on the same directory stays", async () => {
  await using dir = await tempDir();
  await using opened = await openWatching({ options: { cacheDir: dir.path } });
  const { one, two } = opened;
  await two.cache.put(URL_A, OLD, "a/b", "a");
  await two.tier.ended("put");

  for (const [i, filename] of ["new", "newer"].entries()) {
    await one.cache.put(URL_A, NEW, "a/b", filename, { replace: true });
    await one.tier.ended("put", i + 1);
    await two.tier.ended("changes", two.tier.count("changes") + 2);

    const media = await two.cache.get(URL_A);
    assertEquals([media?.filename, await media?.bytes()], [filename, NEW]);
  }
  assertEquals(two.recorder.of("dropped"), []);
});

for (const change of ["replacement", "deletion"]) {
  Deno.test(`what another process on the same directory puts right after a ${change} stays while it is uploaded`, async () => {
    await using dir = await tempDir();
    await using opened = await openWatching({
      options: { cacheDir: dir.path },
    });
    const { one, two, bucket } = opened;
    const put = (bytes: Uint8Array, replace: boolean) =>
      one.cache.put(URL_A, bytes, "a/b", "a", { replace });
    await put(pattern(1_000, 3), false);
    await one.tier.ended("put");
    if (change === "deletion") await one.cache.delete(URL_A);
    else await put(OLD, true);
    while (bucket.changes.length === 0) await turn();
    const count = one.tier.count("put");
    const upload = one.tier.hold("put");

    await put(NEW, true);
    await one.tier.begun("put", count + 1);
    await two.cache.get(`${URL_A}?other`);
    await two.tier.ended("changes", 3);
    upload();
    await one.tier.ended("put", count + 1);
    await two.tier.ended("changes", two.tier.count("changes") + 2);

    assertEquals(two.recorder.of("dropped"), []);
    for (const { cache } of [one, two]) {
      assertEquals(await (await cache.get(URL_A))?.bytes(), NEW);
    }
    assertEquals([...bucket.objects.values()][0]?.bytes, NEW);
  });
}

Deno.test("a replacement that changes the name alone reaches other hosts", async () => {
  await using opened = await openWatching();
  const { one, two } = opened;
  await one.cache.put(URL_A, OLD, "a/b", "old");
  await one.tier.ended("put");
  await (await two.cache.getOrDownload(URL_A, origin(OLD).download)).bytes();

  await one.cache.put(URL_A, OLD, "a/b", "new", { replace: true });
  await two.recorder.seen("dropped");

  const media = await two.cache.getOrDownload(URL_A, origin(OLD).download);
  assertEquals(media.filename, "new");
});

Deno.test("a host whose clock was set back learns of changes all the same", async () => {
  await using opened = await openWatching();
  using clock = new ShiftedClock();
  const { one, two } = opened;
  await one.cache.put(URL_A, OLD, "a/b", "a");
  await one.tier.ended("put");
  await (await two.cache.getOrDownload(URL_A, origin(OLD).download)).bytes();
  const other = `${URL_A}?2`;
  await two.cache.setHandle(other, "place", "old");

  clock.aheadMs = -3_600_000;
  await one.cache.delete(URL_A);
  await one.cache.delete(other);
  await two.tier.ended("changes", two.tier.count("changes") + 2);

  assertEquals(await two.cache.has(URL_A), false);
  assertEquals(await two.cache.handle(other, "place"), undefined);
});

Deno.test("a look that finds many changes lets others work meanwhile", async () => {
  await using host = await openHost({ limits: { changesEveryMs: 20 } });
  using _awake = awake();
  const { cache, tier, bucket, recorder } = host;
  const gate = tier.hold("changes");
  for (const url of [URL_A, `${URL_A}?last`]) {
    await cache.put(url, OLD, "a/b", "a");
  }
  await tier.ended("put", 2);
  const [first = "", last = ""] = bucket.objects.keys();
  bucket.objects.clear();
  const others = Array.from({ length: 4_000 }, (_, i) => remoteKey(`${i}`));
  for (const key of [first, ...others, last]) {
    bucket.changes.push({ key, host: "another", at: Date.now() });
  }

  gate();
  await recorder.seen("dropped");
  let turns = 0;
  for (; recorder.of("dropped").length < 2; turns++) await yieldToEventLoop();

  assert(turns > 10, `${turns} turns`);
});

Deno.test("changes of another shape are a failure of the tier, and no more", async () => {
  for (
    const answer of [null, {}, { changes: [null], next: "" }, {
      changes: [{ key: "../x", ageMs: 0 }, { key: "a", ageMs: NaN }],
      next: "",
    }]
  ) {
    await using host = await openHost();
    const { cache, tier } = host;
    // deno-lint-ignore no-explicit-any -- a tier that breaks its contract
    tier.changes = () => Promise.resolve(answer as any);

    const media = await cache.getOrDownload(URL_A, origin(OLD).download);

    assertBytes(await media.bytes(), OLD);
  }
});

Deno.test("an entry that was put after a change stays, also if a download of the URL began before", async () => {
  await using opened = await openWatching();
  using clock = new ShiftedClock();
  const { one, two } = opened;
  await (await two.cache.getOrDownload(URL_A, origin(OLD).download)).bytes();
  const gate = two.tier.hold("changes");

  clock.aheadMs += 30_000;
  await one.cache.delete(URL_A);
  clock.aheadMs += 30_000;
  await two.cache.put(URL_A, NEW, "a/b", "a", { replace: true });
  gate();
  await two.tier.ended("changes", two.tier.count("changes") + 3);

  assertBytes(await (await two.cache.get(URL_A))?.bytes(), NEW);
});

Deno.test("a deletion waits for an upload whose bytes the store has, and that it may store", async () => {
  await using host = await openHost();
  const { cache, tier, bucket, recorder } = host;
  const sent = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  tier.put = async (key, { entry, open }) => {
    const bytes = await new Response(open()).bytes();
    sent.resolve();
    await gate.promise;
    bucket.objects.set(key, { entry, bytes });
  };
  await cache.put(URL_A, OLD, "a/b", "a");
  await sent.promise;

  const deleted = cache.delete(URL_A);
  await recorder.seen("deleted");
  for (let i = 0; i < 20; i++) await turn();
  gate.resolve();
  await deleted;
  await cache.close();

  assertEquals(bucket.objects.size, 0);
});

for (const status of [401, 403, 405]) {
  Deno.test(`a deletion that is refused with ${status} does not switch the tier off`, async () => {
    await using host = await openHost();
    const { cache, tier, recorder } = host;
    tier.before = (method) => {
      if (method === "delete") throw new HttpStatusError(status);
    };

    for (let i = 0; i < 6; i++) await cache.delete(`${URL_A}?${i}`);

    const { remote } = cache.stats();
    assertEquals([remote?.state, remote?.errors], ["up", 6]);
    assertEquals(recorder.of("remoteDown"), []);
    // close() tries the first alone, which is refused again.
    await cache.close();
    assertEquals(tier.count("delete"), 7);
  });
}
