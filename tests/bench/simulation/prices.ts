import type { BucketResult } from "./simulate.ts";

/** The public prices of an engine, in US dollars. */
export interface Prices {
  /** The engine, and where its bucket and the hosts are. */
  readonly name: string;
  /** A thousand million bytes for a month. */
  readonly gbMonth: number;
  /** A million PUT or LIST requests; refused ones cost as much. */
  readonly millionWrites: number;
  /** A million GET or HEAD requests, those without an object included. */
  readonly millionReads: number;
  /** A thousand million bytes to the hosts. */
  readonly gbOut: number;
}

/**
 * https://aws.amazon.com/s3/pricing/: S3 Standard in US East (N. Virginia), as of June
 * 2026, the first 50 TB stored and the first 10 TB sent. Answers of 404 and 412 are
 * billed: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ErrorCodeBilling.html
 */
const AWS = { gbMonth: 0.023, millionWrites: 5, millionReads: 0.4 };

/** The price lists of the report. */
export const PRICES: readonly Prices[] = [
  { name: "AWS, same region", ...AWS, gbOut: 0 },
  { name: "AWS, over the internet", ...AWS, gbOut: 0.09 },
  {
    // https://developers.cloudflare.com/r2/pricing/: R2 Standard, as of August 2026.
    name: "R2",
    ...{ gbMonth: 0.015, millionWrites: 4.5, millionReads: 0.36, gbOut: 0 },
  },
];

/** Looks of a host for changes in a day: `changesEveryMs` is 30 seconds. */
const LOOKS_PER_DAY = 2880;

/** LIST requests of all hosts in so many days. */
export function lists(hosts: number, days: number): number {
  return hosts * days * LOOKS_PER_DAY;
}

/** Bytes that the bucket held, on the average of so many days. */
export function storedBytes({ byteMs }: BucketResult, days: number): number {
  return byteMs / (days * 86_400_000);
}

/** The dollars for 30 days: without leases, and of the leases alone. */
export function dollars(
  prices: Prices,
  bucket: BucketResult,
  hosts: number,
  days: number,
): { base: number; lease: number } {
  const month = 30 / days;
  const writes = bucket.puts + lists(hosts, days);
  const reads = bucket.hits + bucket.misses;
  return {
    base: storedBytes(bucket, days) / 1e9 * prices.gbMonth +
      month * (writes / 1e6 * prices.millionWrites +
          reads / 1e6 * prices.millionReads +
          bucket.bytesReceived / 1e9 * prices.gbOut),
    lease: month * (bucket.leasePuts / 1e6 * prices.millionWrites +
      (bucket.leaseHeads + bucket.polls) / 1e6 * prices.millionReads),
  };
}
