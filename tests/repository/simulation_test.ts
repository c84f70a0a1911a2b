/** The simulation of hosts that share a bucket. */
import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertGreater,
} from "@std/assert";
import { Bucket } from "../bench/simulation/bucket.ts";
import { dollars, PRICES, storedBytes } from "../bench/simulation/prices.ts";
import {
  charts,
  costTable,
  hitTable,
  leaseTable,
  RULE_DAYS,
  ruleTable,
  shareTable,
} from "../bench/simulation/report.ts";
import { BASELINE, DAY_MS, randomBytes } from "../bench/simulation/scenario.ts";
import { simulate } from "../bench/simulation/simulate.ts";
import { Zipf } from "../bench/simulation/zipf.ts";
import { svgOf } from "../bench/chart.ts";
import { Random } from "../fixtures/inputs/random.ts";

const SMALL = {
  ...BASELINE,
  ...{ requestsPerDay: 100, sharedMedia: 200, ownMedia: 50 },
  ...{ warmUpDays: 3, days: 6, broadcastsPerDay: 5 },
};

const USES = [
  ...[1, 3, RULE_DAYS, Infinity]
    .map((expireDays) => ({ expireDays, lease: false })),
  { expireDays: RULE_DAYS, lease: true },
];

/** Counts of the buckets of a run. */
function played(hosts: number) {
  return simulate({ ...SMALL, hosts }, USES);
}

Deno.test("ranks come as often as Zipf's law has them", () => {
  const random = new Random(7);
  const fraction = () => random.fraction();
  const zipf = new Zipf(50, 0.8);
  const counts = new Array(50).fill(0);
  for (let i = 0; i < 200_000; i++) counts[zipf.pick(fraction)]++;

  const weights = counts.map((_, rank) => (rank + 1) ** -0.8);
  const sum = weights.reduce((a, b) => a + b);
  for (const rank of [0, 1, 9, 49]) {
    const wanted = 200_000 * weights[rank]! / sum;
    assertAlmostEquals(counts[rank] / wanted, 1, 0.1, `rank ${rank}`);
  }
});

Deno.test("a fifth of the media takes four fifths of the bytes", () => {
  const random = new Random(7);
  const sizes = Array.from(
    { length: 50_000 },
    () => randomBytes(() => random.fraction()),
  ).sort((a, b) => b - a);

  const sum = (some: number[]) => some.reduce((a, b) => a + b, 0);
  const share = sum(sizes.slice(0, 10_000)) / sum(sizes);
  assertAlmostEquals(share, 0.8, 0.03);
  assert(sizes.every((size) => size > 0 && size <= 50e6));
});

Deno.test("the same seed gives the same figures, another seed others", () => {
  assertEquals(played(3), played(3));
  const other = simulate({ ...SMALL, hosts: 3, seed: 2 }, USES);
  assert(other.localHits !== played(3).localHits);
});

Deno.test("each request is answered by the host, the bucket or the origin", () => {
  for (const hosts of [1, 10]) {
    const { requests, localHits, missedBytes, buckets } = played(hosts);

    assertGreater(localHits, 0);
    for (const each of buckets) {
      assertEquals(localHits + each.hits + each.downloads, requests);
      assertEquals(each.puts, each.downloads);
      const { bytesReceived, bytesDownloaded } = each;
      assertAlmostEquals(bytesReceived + bytesDownloaded, missedBytes, 1);
    }
    const [day, , month, never] = buckets.map(({ downloads }) => downloads);
    assert(
      day! >= month! && month! >= never!,
      "a later expiry saves downloads",
    );
  }
});

Deno.test("a lease saves the second downloads, and nothing else", () => {
  const { buckets, broadcasts } = played(10);
  const without = buckets.find(({ use }) => use.expireDays === RULE_DAYS)!;
  const held = buckets.find(({ use }) => use.lease)!;

  assertGreater(broadcasts, 10);
  assertGreater(without.secondDownloads, 0);
  assertEquals(held.secondDownloads, 0);
  assertEquals(held.downloads, without.downloads - without.secondDownloads);
  assertEquals([without.leasePuts, without.leaseHeads], [0, 0]);
  assertEquals(held.leasePuts, held.downloads + held.leaseHeads);
});

Deno.test("an object expires at the midnight behind its last day", () => {
  const bytes = 1000;
  const bucket = new Bucket({ expireDays: 1, lease: false }, 1, 0, 10 * DAY_MS);

  assertEquals(bucket.look(DAY_MS / 2, 0, bytes), "origin");
  assertEquals(bucket.look(DAY_MS, 0, bytes), "bucket");
  assertEquals(bucket.look(2 * DAY_MS - 1, 0, bytes), "bucket");
  assertEquals(bucket.look(2 * DAY_MS, 0, bytes), "origin");
  bucket.forget(0);
  assertEquals(bucket.look(2 * DAY_MS + 5000, 0, bytes), "origin");

  assertEquals(bucket.counts.hits, 2);
  assertEquals(bucket.counts.secondDownloads, 0);
  // One and a half days, then twice two.
  const days = bucket.counts.byteMs / bytes / DAY_MS;
  assertAlmostEquals(days, 1.5 + 2 * 2, 0.01);
});

Deno.test("hosts that wait for a lease look more and more seldom", () => {
  const bucket = new Bucket({ expireDays: 1, lease: true }, 1, 0, DAY_MS);

  assertEquals(bucket.look(0, 0, 2e6), "origin");
  // 300 + 1,000 ms of the download, 100 + 200 ms of the upload.
  assertEquals(bucket.look(600, 0, 2e6), "bucket");

  // After 40, 104, 206, 370, 632 and 1,032 ms: the last look finds the object.
  const { polls, leasePuts, leaseHeads } = bucket.counts;
  assertEquals({ polls, leasePuts, leaseHeads }, {
    ...{ polls: 5, leasePuts: 2, leaseHeads: 1 },
  });
});

Deno.test("a month is priced by its requests, bytes and looks for changes", () => {
  const [result] = played(1).buckets;
  const bucket = {
    ...result!,
    ...{ hits: 2e6, misses: 1e6, puts: 1e6, bytesReceived: 100e9 },
    ...{
      leasePuts: 1e6,
      leaseHeads: 0,
      polls: 1e6,
      byteMs: 1e12 * 30 * DAY_MS,
    },
  };
  const [aws, internet] = PRICES;

  assertEquals(storedBytes(bucket, 30), 1e12);
  const { base, lease } = dollars(aws!, bucket, 10, 30);
  // 1 TB, 1.864 million PUT and LIST, 3 million GET.
  assertAlmostEquals(base, 23 + 5 + 10 * 86_400 * 5e-6 + 1.2, 1e-6);
  assertAlmostEquals(lease, 5.4, 1e-6);
  const { base: far } = dollars(internet!, bucket, 10, 30);
  assertAlmostEquals(far - base, 9, 1e-6);
});

Deno.test("tables and plots hold a line and a point for each number of hosts", () => {
  const results = [1, 10].map(played);

  for (const table of [hitTable, shareTable, costTable, leaseTable]) {
    const lines = table(results).split("\n");
    assertEquals(lines.length, 4);
    assert(lines.every((line) => !line.includes("NaN")), table(results));
  }
  assertEquals(ruleTable(results).split("\n").length, 2 + 4);
  for (const chart of charts(results)) {
    assertGreater(chart.points.length, 3);
    assert(!svgOf(chart).includes("NaN"), chart.name);
  }
});
