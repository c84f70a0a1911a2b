import { Lru } from "../../../src/core/catalog/lru.ts";
import { MIB } from "../bench.ts";
import { Bucket, type BucketCounts, type BucketUse } from "./bucket.ts";
import { DAY_MS, type Scenario } from "./scenario.ts";
import { Trace } from "./trace.ts";

/** The counts of all hosts with one bucket. */
export interface BucketResult extends BucketCounts {
  /** How the bucket was used. */
  readonly use: BucketUse;
  /** Downloads from the origin of media that all hosts wanted at the same time. */
  broadcastDownloads: number;
}

/** The counts of all hosts in the days that count. */
export interface Result {
  /** The scenario. */
  readonly scenario: Scenario;
  /** Requests of callers. */
  requests: number;
  /** Requests that a host answered by itself. */
  localHits: number;
  /** Bytes of the bodies that a host did not have. */
  missedBytes: number;
  /** Broadcast media. */
  broadcasts: number;
  /** The same misses, with each use of a bucket. */
  readonly buckets: readonly BucketResult[];
}

/**
 * Plays a trace against hosts with an LRU each, and their misses against a bucket for
 * each of its uses. A host stores a miss whether bucket or origin has it, so that the
 * uses of the bucket don't change what hosts have.
 */
export function simulate(
  scenario: Scenario,
  uses: readonly BucketUse[],
): Result {
  const fromMs = scenario.warmUpDays * DAY_MS;
  const toMs = fromMs + scenario.days * DAY_MS;
  const maxBytes = scenario.maxSizeMb * MIB;
  const trace = new Trace(scenario);
  const hosts = Array.from({ length: scenario.hosts }, () => new Lru<string>());
  const buckets = uses.map((use) => ({
    bucket: new Bucket(use, trace.slots, fromMs, toMs),
    ...{ use, broadcastDownloads: 0 },
  }));
  let [requests, localHits, missedBytes, broadcastHosts] = [0, 0, 0, 0];
  trace.play(
    (slot) => {
      for (const { bucket } of buckets) bucket.forget(slot);
    },
    ({ atMs, host, slot, isBroadcast }) => {
      const weight = atMs >= fromMs ? 1 : 0;
      requests += weight;
      if (isBroadcast) broadcastHosts += weight;
      const name = trace.nameOf(slot);
      const lru = hosts[host];
      if (lru === undefined) return;
      if (lru.use(name) !== undefined) {
        localHits += weight;
        return;
      }
      const bytes = trace.bytesOf(slot);
      missedBytes += weight * bytes;
      lru.set(name, name, bytes);
      for (const victim of lru.victims(maxBytes)) lru.delete(victim);
      for (const each of buckets) {
        const source = each.bucket.look(atMs, slot, bytes);
        if (source === "origin" && isBroadcast) {
          each.broadcastDownloads += weight;
        }
      }
    },
  );
  return {
    ...{ scenario, requests, localHits, missedBytes },
    broadcasts: broadcastHosts / scenario.hosts,
    buckets: buckets.map(({ bucket, use, broadcastDownloads }) => ({
      ...bucket.counts,
      ...{ use, broadcastDownloads },
    })),
  };
}
