/** The tables of `src/s3/README.md`, and its plots. */
import type { Chart, Point } from "../chart.ts";
import { digits, markdown } from "../table.ts";
import { dollars, lists, PRICES, storedBytes } from "./prices.ts";
import type { BucketResult, Result } from "./simulate.ts";

/** The rule of the tables, in days. */
export const RULE_DAYS = 30;

/** The shares of hosts, bucket and origin. */
export function hitTable(results: readonly Result[]): string {
  const head = [
    ...["hosts", "requests", "the host", "the bucket", "the origin"],
    ...["downloads", "without the tier"],
  ];
  return markdown(
    head,
    results.map((result) => {
      const { scenario, requests, localHits } = result;
      const { downloads } = bucketOf(result);
      const missed = requests - localHits;
      return [
        ...[String(scenario.hosts), count(requests)],
        ...[percent(localHits / requests)],
        percent((missed - downloads) / requests),
        ...[percent(downloads / requests), count(downloads), count(missed)],
      ];
    }),
  );
}

/** The shares, by the part of the requests for media that all hosts want alike. */
export function shareTable(results: readonly Result[]): string {
  const head = ["wanted alike", "the host", "the bucket", "the origin"];
  return markdown(
    head,
    results.map((result) => {
      const { scenario, requests, localHits } = result;
      const { downloads } = bucketOf(result);
      return [
        `${100 * scenario.sharedShare} %`,
        ...[localHits, requests - localHits - downloads, downloads]
          .map((part) => percent(part / requests)),
      ];
    }),
  );
}

/** Requests and money. */
export function costTable(results: readonly Result[]): string {
  const head = [
    ...["hosts", "GET, object", "GET, none", "PUT", "LIST"],
    ...["stored", "received", ...PRICES.map(({ name }) => name)],
  ];
  return markdown(
    head,
    results.map((result) => {
      const { hosts, days } = result.scenario;
      const bucket = bucketOf(result);
      return [
        ...[String(hosts), count(bucket.hits), count(bucket.misses)],
        ...[count(bucket.puts), count(lists(hosts, days))],
        ...[bytes(storedBytes(bucket, days)), bytes(bucket.bytesReceived)],
        ...PRICES.map((prices) =>
          money(dollars(prices, bucket, hosts, days).base)
        ),
      ];
    }),
  );
}

/** The savings and the price of leases. */
export function leaseTable(results: readonly Result[]): string {
  const head = [
    ...["hosts", "second downloads", "with a lease"],
    ...["downloads of a broadcast", "with a lease"],
    ...["requests for leases", ...PRICES.slice(1).map(({ name }) => name)],
  ];
  return markdown(
    head,
    results.map((result) => {
      const { hosts, days } = result.scenario;
      const [without, held] = [bucketOf(result), bucketOf(result, true)];
      const { leasePuts, leaseHeads, polls } = held;
      const eachOf = ({ broadcastDownloads }: BucketResult) =>
        digits(broadcastDownloads / result.broadcasts);
      return [
        ...[String(hosts), count(without.secondDownloads)],
        ...[count(held.secondDownloads), eachOf(without), eachOf(held)],
        count(leasePuts + leaseHeads + polls),
        ...PRICES.slice(1).map((prices) =>
          money(dollars(prices, held, hosts, days).lease)
        ),
      ];
    }),
  );
}

/** The effect of a lifecycle rule. */
export function ruleTable(results: readonly Result[]): string {
  const head = [
    "expires after",
    ...results.map(({ scenario }) => plural(scenario.hosts, "host")),
    ...results.map(({ scenario }) =>
      `stored, ${plural(scenario.hosts, "host")}`
    ),
  ];
  return markdown(
    head,
    rulesOf(results).map((expireDays) => {
      const buckets = results.map((result) =>
        bucketOf(result, false, expireDays)
      );
      return [
        expireDays === Infinity ? "never" : plural(expireDays, "day"),
        ...results.map((result, i) => percent(spared(result, buckets[i]))),
        ...results.map(({ scenario }, i) => {
          const bucket = buckets[i];
          return bucket ? bytes(storedBytes(bucket, scenario.days)) : "";
        }),
      ];
    }),
  );
}

/** The plots: by hosts, and by lifecycle rule. */
export function charts(results: readonly Result[]): Chart[] {
  return [
    {
      name: "remote-hosts",
      title: "Percent of requests that the origin does not see, by hosts",
      axes: "steps",
      points: results.flatMap((result) => {
        const { scenario: { hosts }, localHits, requests } = result;
        const share = spared(result, bucketOf(result));
        return [
          point("with the tier", hosts, share),
          point("each host alone", hosts, localHits / requests),
        ];
      }),
    },
    {
      name: "remote-rule",
      title:
        "Percent of requests that the origin does not see, by days of the rule",
      axes: "steps",
      textOf: (days) => days === Infinity ? "never" : digits(days),
      points: rulesOf(results).flatMap((expireDays) =>
        results.filter(({ scenario }) => TABLED.includes(scenario.hosts)).map(
          (result) =>
            point(
              plural(result.scenario.hosts, "host"),
              expireDays,
              spared(result, bucketOf(result, false, expireDays)),
            ),
        )
      ),
    },
  ];
}

/** The numbers of hosts of the tables. */
export const TABLED = [1, 10, 100];

function point(curve: string, x: number, share: number): Point {
  const y = 100 * share;
  return { curve, x, y, low: y, high: y };
}

/** The share of the requests that the origin does not see. */
function spared(
  { requests }: Result,
  bucket: BucketResult | undefined,
): number {
  return 1 - (bucket?.downloads ?? NaN) / requests;
}

function rulesOf([result]: readonly Result[]): number[] {
  return (result?.buckets ?? []).filter(({ use }) => !use.lease)
    .map(({ use }) => use.expireDays);
}

function bucketOf(
  { buckets }: Result,
  lease = false,
  expireDays = RULE_DAYS,
): BucketResult {
  const found = buckets.find(({ use }) =>
    use.lease === lease && use.expireDays === expireDays
  );
  if (found) return found;
  throw new RangeError(
    `No bucket was simulated with lease ${lease} and a rule of ${expireDays} days`,
  );
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function count(value: number): string {
  if (value >= 1e6) return `${digits(value / 1e6)} M`;
  return value >= 1e4 ? `${digits(value / 1e3)} k` : digits(value);
}

function bytes(value: number): string {
  return value >= 1e12
    ? `${digits(value / 1e12)} TB`
    : `${digits(value / 1e9)} GB`;
}

function money(value: number): string {
  return value >= 100 ? `$${digits(value)}` : `$${value.toFixed(2)}`;
}
