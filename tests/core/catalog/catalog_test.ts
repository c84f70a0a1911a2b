import { assert, assertEquals } from "@std/assert";
import { Catalog } from "../../../src/core/catalog/catalog.ts";
import type { Entry } from "../../../src/core/catalog/entry.ts";
import { Touches } from "../../../src/core/catalog/touches.ts";
import { Pacer } from "../../../src/core/async/pacer.ts";
import { EagerTurns } from "../../fixtures/time/eager_turns.ts";
import { ShiftedClock } from "../../fixtures/time/shifted_clock.ts";

const CAPS = { maxItems: 9, maxBytes: 100, maxItemBytes: 100 };

function entry(url: string, facts: Partial<Entry> = {}): Entry {
  return {
    key: url,
    url,
    mimetype: "image/png",
    filename: "a.png",
    size: 10,
    storedAt: 0,
    identity: 0,
    sidecarStamp: 0,
    lastAccess: 0,
    mtimeMs: 0,
    isYoung: false,
    seenAtMs: 0,
    ...facts,
  };
}

function order(catalog: Catalog): string {
  return Array.from(catalog.snapshot().newestFirst(), ({ url }) => url)
    .join("");
}

/** A catalog, and the URLs whose uses its touches would write. */
function recorded(): { catalog: Catalog; flush: () => Promise<string> } {
  const written: string[] = [];
  const touches = new Touches(({ url }) => {
    written.push(url);
    return Promise.resolve();
  });
  return {
    catalog: new Catalog(CAPS, touches),
    async flush() {
      await touches.flush();
      return written.splice(0).join("");
    },
  };
}

Deno.test("insert() makes an entry the most recent and records no touch", async () => {
  const { catalog, flush } = recorded();

  catalog.insert(entry("a"));
  catalog.insert(entry("b", { size: 5 }));
  catalog.insert(entry("a", { size: 7 }));

  assertEquals([catalog.entries, catalog.totalBytes], [2, 12]);
  assertEquals(order(catalog), "ab");
  assertEquals(await flush(), "");
});

Deno.test("use() and stored() record touches, use() with a time of its own", async () => {
  const { catalog, flush } = recorded();
  const a = entry("a");
  catalog.stored(a);
  catalog.insert(entry("b"));
  const before = Date.now();

  catalog.use("a");
  catalog.use("x");

  assert(a.lastAccess >= before);
  assertEquals(order(catalog), "ab");
  assertEquals(await flush(), "a");
});

Deno.test("use() counts for the entry that has the URL now", async () => {
  const { catalog, flush } = recorded();
  const before = entry("a");
  const after = entry("a");
  catalog.insert(before);
  catalog.insert(after);

  catalog.use("a");

  assertEquals([before.lastAccess > 0, after.lastAccess > 0], [false, true]);
  assertEquals(await flush(), "a");
});

Deno.test("stored() and replaceFromDisk() place an entry by the time of its last use", async () => {
  const { catalog, flush } = recorded();
  catalog.insert(entry("a", { lastAccess: 1 }));
  catalog.insert(entry("d", { lastAccess: 4 }));

  // Stored while other entries were being used.
  catalog.stored(entry("c", { lastAccess: 3 }));
  catalog.replaceFromDisk(entry("b", { lastAccess: 2 }));

  assertEquals(order(catalog), "dcba");
  assertEquals(await flush(), "c");
});

Deno.test("forget() also drops the bytes in RAM and the pending touch", async () => {
  const { catalog, flush } = recorded();
  catalog.stored(entry("a"));
  catalog.memory.keep("a", new Uint8Array(10));

  catalog.forget("a");
  catalog.forget("x");

  assertEquals([catalog.entries, catalog.totalBytes, catalog.memory.bytes], [
    0,
    0,
    0,
  ]);
  assertEquals(catalog.peek("a"), undefined);
  assertEquals(await flush(), "");
});

Deno.test("addIfUnknown() adds an unknown entry, and does not count as a use", () => {
  const { catalog } = recorded();
  const known = entry("a", { size: 1 });
  catalog.insert(known);

  const isNew = ["a", "b"].map((url) =>
    catalog.addIfUnknown(entry(url, { size: 5 }))
  );

  assertEquals(isNew, [false, true]);
  assertEquals([catalog.peek("a"), catalog.totalBytes], [known, 6]);
  assertEquals(order(catalog), "ab");
});

for (const others of [0, 2_000]) {
  Deno.test(`discovered entries are ordered by last access, then by the time of storing, beside ${others} others`, async () => {
    const { catalog } = recorded();

    await catalog.whileUnordered(new Pacer(), () => {
      catalog.addIfUnknown(entry("c", { lastAccess: 5, storedAt: 2 }));
      for (let i = 0; i < others; i++) catalog.addIfUnknown(entry(` ${i}`));
      catalog.addIfUnknown(entry("a", { lastAccess: 1, storedAt: 9 }));
      catalog.addIfUnknown(entry("b", { lastAccess: 5, storedAt: 1 }));
      return Promise.resolve();
    });

    assertEquals(order(catalog).slice(0, 3), "cba");
    assertEquals(catalog.entries, others + 3);
  });
}

Deno.test("sorting thousands yields to uses, and to entries that come and go meanwhile", async () => {
  const { catalog, flush } = recorded();
  // The order is known at the first turn; the other turns bring it about.
  const steps = [
    () => catalog.use("b"),
    () => catalog.forget("e"),
    () =>
      catalog.replaceFromDisk(
        entry("x", { lastAccess: "c".charCodeAt(0) + 0.5 }),
      ),
    () => catalog.use("a"),
    () => catalog.stored(entry("y", { lastAccess: catalog.tick() })),
  ];

  await catalog.whileUnordered(new EagerTurns(steps), () => {
    for (const [i, url] of [..."cadfbe"].entries()) {
      const lastAccess = url.charCodeAt(0);
      catalog.addIfUnknown(entry(url, { lastAccess, storedAt: i }));
    }
    for (let i = 0; i < 1_000; i++) catalog.addIfUnknown(entry(` ${i}`));
    return Promise.resolve();
  });

  assertEquals(steps.length, 0);
  assertEquals(order(catalog).slice(0, 7), "yabfdxc");
  assertEquals(catalog.entries, 1_007);
  await flush();
});

Deno.test("an entry that is used or found during a sort is at its place at once", async () => {
  const { catalog, flush } = recorded();
  for (const [i, url] of [..."abc"].entries()) {
    catalog.insert(entry(url, { lastAccess: 10 * i }));
  }

  await catalog.whileUnordered(new Pacer(), () => {
    catalog.replaceFromDisk(entry("x", { lastAccess: 15 }));
    catalog.addIfUnknown(entry("y", { lastAccess: 5 }));
    catalog.use("a");
    assertEquals(order(catalog), "acxby");
    assertEquals(victims(catalog, 30), "ybx");
    return Promise.resolve();
  });

  assertEquals(order(catalog), "acxby");
  await flush();
});

/** The URLs of the victims of a store within a budget of 50 bytes. */
function victims(
  catalog: Catalog,
  size: number,
  url = "new",
  stuck = "",
): string | undefined {
  return catalog.victims(size, url, 50, new Set(stuck))
    ?.map(({ url }) => url).join("");
}

Deno.test("victims() names as many least recently used entries as needed, and changes nothing", async () => {
  const { catalog, flush } = recorded();
  for (const url of "abcde") catalog.insert(entry(url));
  catalog.use("a");

  assertEquals(victims(catalog, 0), "");
  assertEquals(victims(catalog, 1), "b");
  assertEquals(victims(catalog, 10), "b");
  assertEquals(victims(catalog, 11), "bc");
  assertEquals(victims(catalog, 50), "bcdea");
  assertEquals([order(catalog), catalog.totalBytes], ["aedcb", 50]);
  await flush();
});

Deno.test("victims() counts the replaced entry as room, and never names it", () => {
  const { catalog } = recorded();
  for (const url of "abcde") catalog.insert(entry(url));

  assertEquals(victims(catalog, 10, "a"), "");
  assertEquals(victims(catalog, 20, "a"), "b");
  assertEquals(victims(catalog, 50, "c"), "abde");
});

Deno.test("victims() skips stuck entries, and is undefined when the others are too few", () => {
  const { catalog } = recorded();
  for (const url of "abcde") catalog.insert(entry(url));

  assertEquals(victims(catalog, 20, "new", "a"), "bc");
  assertEquals(victims(catalog, 40, "new", "a"), "bcde");
  assertEquals(victims(catalog, 41, "new", "a"), undefined);
  assertEquals(victims(catalog, 10, "new", "abcde"), undefined);
});

Deno.test("victims() gives back room on disk: whole blocks, and sidecars", () => {
  const { catalog } = recorded();
  for (const url of "abcde") catalog.insert(entry(url));
  catalog.insert(entry("large", { size: 4097 }));
  const names = (occupied: number, url = "new", size = 0) =>
    catalog.victims(size, url, 9_999, new Set(), occupied)
      ?.map(({ url }) => url).join("");

  assertEquals(names(0), "");
  assertEquals(names(-5), "");
  assertEquals(names(1), "a");
  assertEquals(names(2 * 4096), "a");
  assertEquals(names(2 * 4096 + 1), "ab");
  assertEquals(names(2 * 4096 + 1, "a"), "bc");
  assertEquals(names(13 * 4096), "abcdelarge");
  assertEquals(names(13 * 4096 + 1), undefined);
  // Both limits hold.
  assertEquals(names(1, "new", 9_999 - 50 - 4097 + 11), "ab");
  assertEquals(names(3 * 4096, "new", 9_999 - 50 - 4097 + 1), "ab");
});

Deno.test("victims() gives back the room of 100,000 tiny entries, in groups", () => {
  const { catalog } = recorded();
  const count = 100_000;
  for (let i = 0; i < count; i++) catalog.insert(entry(`${i}`, { size: 1 }));
  assertEquals(catalog.occupiedBytes, count * 2 * 4096);
  const left = 1_000;
  let removed = 0;

  for (;;) {
    const occupied = catalog.occupiedBytes - left * 2 * 4096;
    const some = catalog.victims(0, "new", Infinity, new Set(), occupied);
    assert(some);
    if (some.length === 0) break;
    for (const { url } of some) {
      assertEquals(url, `${removed++}`);
      catalog.forget(url);
    }
  }

  assertEquals([removed, catalog.entries], [count - left, left]);
});

Deno.test("victims() names thousands in groups of at most 64", () => {
  const { catalog } = recorded();
  for (let i = 0; i < 5_000; i++) catalog.insert(entry(`${i}`));
  let count = 0;

  for (;;) {
    const some = catalog.victims(50, "new", 50);
    if (some?.length === 0) break;
    assert(some && some.length <= 64);
    assertEquals(some[0]?.url, `${count}`);
    count += some.length;
    for (const { url } of some) catalog.forget(url);
  }

  assertEquals(count, 5_000);
});

Deno.test("usedElsewhere() moves an entry to the place of its time, and never back", () => {
  const { catalog } = recorded();
  const entries = ["a", "b", "c"].map((url, i) =>
    entry(url, { lastAccess: (i + 1) * 10 })
  );
  for (const entry of entries) catalog.insert(entry);
  const [a] = entries;
  assert(a);

  catalog.usedElsewhere(a, 25);
  assertEquals([order(catalog), a.lastAccess, a.mtimeMs], ["cab", 25, 25]);
  catalog.usedElsewhere(a, 15);
  assertEquals([order(catalog), a.lastAccess], ["cab", 25]);
  catalog.usedElsewhere(a, Date.now() + 3_600_000);
  assertEquals(order(catalog), "acb");
  assert(a.lastAccess <= Date.now());
});

Deno.test("tick() never gives a time twice, nor an earlier one", () => {
  const { now } = Date;
  const catalog = new Catalog(CAPS, undefined);
  try {
    const times: number[] = [];
    for (const time of [1_000, 1_000, 1_000, 999, 1_000, 1_001, 500]) {
      Date.now = () => time;
      times.push(catalog.tick());
    }

    assertEquals(times, [...new Set(times)].sort((a, b) => a - b));
    assertEquals(times[0], 1_000);
    assert((times.at(-1) ?? 0) < 1_001.1);
  } finally {
    Date.now = now;
  }
});

Deno.test("a use is later than all known uses, although the clock was set back since", async () => {
  using clock = new ShiftedClock();
  const { catalog, flush } = recorded();
  const now = Date.now();
  const ways: ((lastAccess: number) => unknown)[] = [
    (lastAccess) => catalog.addIfUnknown(entry("b", { lastAccess })),
    (lastAccess) => catalog.replaceFromDisk(entry("b", { lastAccess })),
    (lastAccess) => {
      const known = catalog.peek("b");
      if (known !== undefined) catalog.usedElsewhere(known, lastAccess);
    },
    (lastAccess) => {
      const known = catalog.peek("b");
      if (known !== undefined) catalog.redate(known, lastAccess, lastAccess);
    },
  ];
  catalog.insert(entry("a"));
  for (const [i, learn] of ways.entries()) {
    clock.aheadMs = 1_000 * i;
    learn(now + clock.aheadMs - 10);
    clock.aheadMs = -60_000;

    const used = catalog.use("a")?.lastAccess ?? NaN;

    assert(used > now + 1_000 * i - 10);
    assertEquals(order(catalog), "ab");
  }
  await flush();
});

Deno.test("tick() keeps its times apart in the precision that a sidecar has for seconds", () => {
  const { now } = Date;
  Date.now = () => 1_763_762_612_123;
  try {
    const catalog = new Catalog(CAPS, undefined);
    const seconds = Array.from({ length: 500 }, () => catalog.tick() / 1_000);

    assertEquals(new Set(seconds).size, 500);
    assertEquals(seconds, seconds.toSorted((a, b) => a - b));
  } finally {
    Date.now = now;
  }
});

Deno.test("an entry seen with another time is as young as that look", () => {
  const catalog = new Catalog(CAPS, undefined);
  const known = entry("a", { mtimeMs: 1_000 });
  catalog.insert(known);

  catalog.seen(known, { ...known, mtimeMs: 2_000, isYoung: true });
  assertEquals(catalog.peek("a")?.isYoung, true);
  catalog.seen(known, { ...known, isYoung: false });
  assertEquals(catalog.peek("a")?.isYoung, false);
  catalog.seen(known, { ...known, isYoung: true });
  assertEquals(catalog.peek("a")?.isYoung, false);
});
