import { DAY_MS } from "./scenario.ts";

/** How a bucket is used. */
export interface BucketUse {
  /** Days after which the lifecycle rule of the bucket expires an object; Infinity: never. */
  readonly expireDays: number;
  /** Whether hosts download by lease. */
  readonly lease: boolean;
}

/** The requests of hosts to a bucket and to the origin. */
export interface BucketCounts {
  /** GET requests that an object answered. */
  hits: number;
  /** GET requests without an object: of misses. */
  misses: number;
  /** GET requests without an object: of hosts that wait for another host. */
  polls: number;
  /** PUT requests of objects. */
  puts: number;
  /** PUT requests of leases, refused ones included. */
  leasePuts: number;
  /** HEAD requests of leases. */
  leaseHeads: number;
  /** Downloads from the origin. */
  downloads: number;
  /** Downloads that ran while another host downloaded the same medium. */
  secondDownloads: number;
  /** Bytes of the bodies that came from the bucket. */
  bytesReceived: number;
  /** Bytes of the bodies that came from the origin. */
  bytesDownloaded: number;
  /** Bytes of objects, times milliseconds. */
  byteMs: number;
}

/** The times of origin and bucket, by assumption. */
const ORIGIN_FIRST_BYTE_MS = 300;
const ORIGIN_BYTES_PER_MS = 2e3;
const UPLOAD_FIRST_BYTE_MS = 100;
const UPLOAD_BYTES_PER_MS = 10e3;

/** `leaseWaitMs` of a tier: a host that has waited as long downloads by itself. */
const LEASE_WAIT_MS = 20_000;

/**
 * The objects of one bucket, and the requests that hosts make when they don't have a
 * medium: one GET; without an object, with `lease`, the PUT of the lease, then the
 * download and the PUT of the object, or GETs until the object of another host is there.
 */
export class Bucket {
  /** The counts so far. */
  readonly counts: BucketCounts = {
    ...{ hits: 0, misses: 0, polls: 0, puts: 0, leasePuts: 0, leaseHeads: 0 },
    ...{ downloads: 0, secondDownloads: 0 },
    ...{ bytesReceived: 0, bytesDownloaded: 0, byteMs: 0 },
  };

  readonly #use: BucketUse;
  readonly #fromMs: number;
  readonly #toMs: number;
  /** From when on the object of a rank can be read; Infinity without any. */
  readonly #visibleAtMs: Float64Array;
  /** Until when. */
  readonly #expiresAtMs: Float64Array;

  /** An empty bucket. Requests count from `fromMs` to `toMs`. */
  constructor(use: BucketUse, slots: number, fromMs: number, toMs: number) {
    this.#use = use;
    [this.#fromMs, this.#toMs] = [fromMs, toMs];
    this.#visibleAtMs = new Float64Array(slots).fill(Infinity);
    this.#expiresAtMs = new Float64Array(slots);
  }

  /** A rank got another medium, which the bucket does not have. */
  forget(slot: number): void {
    this.#visibleAtMs[slot] = Infinity;
    this.#expiresAtMs[slot] = 0;
  }

  /** A host looks for a medium; "bucket" or "origin" has it. */
  look(atMs: number, slot: number, bytes: number): "bucket" | "origin" {
    const weight = atMs >= this.#fromMs ? 1 : 0;
    const { counts } = this;
    const visibleAtMs = this.#visibleAtMs[slot] ?? Infinity;
    const isExpired = atMs >= (this.#expiresAtMs[slot] ?? 0);
    if (visibleAtMs <= atMs && !isExpired) {
      counts.hits += weight;
      counts.bytesReceived += weight * bytes;
      return "bucket";
    }
    counts.misses += weight;
    const isRunning = visibleAtMs > atMs && visibleAtMs !== Infinity;
    if (this.#use.lease) {
      counts.leasePuts += weight;
      if (isRunning) {
        counts.leaseHeads += weight;
        const waitMs = Math.min(LEASE_WAIT_MS, visibleAtMs - atMs);
        counts.polls += weight * (looksWithin(waitMs) - 1);
        if (waitMs < LEASE_WAIT_MS) {
          counts.hits += weight;
          counts.bytesReceived += weight * bytes;
          return "bucket";
        }
      }
    }
    counts.downloads += weight;
    counts.bytesDownloaded += weight * bytes;
    if (isRunning) counts.secondDownloads += weight;
    this.#put(atMs, slot, bytes, isRunning);
    counts.puts += weight;
    return "origin";
  }

  #put(atMs: number, slot: number, bytes: number, isRunning: boolean): void {
    const storedAtMs = atMs + ORIGIN_FIRST_BYTE_MS +
      bytes / ORIGIN_BYTES_PER_MS + UPLOAD_FIRST_BYTE_MS +
      bytes / UPLOAD_BYTES_PER_MS;
    const { expireDays } = this.#use;
    // Engines round up to the next midnight (UTC).
    const expiresAtMs = DAY_MS *
      Math.ceil(storedAtMs / DAY_MS + expireDays);
    const stored = isRunning ? this.#expiresAtMs[slot] ?? 0 : storedAtMs;
    this.counts.byteMs += bytes *
      Math.max(0, this.#within(expiresAtMs) - this.#within(stored));
    this.#visibleAtMs[slot] = isRunning
      ? Math.min(storedAtMs, this.#visibleAtMs[slot] ?? Infinity)
      : storedAtMs;
    this.#expiresAtMs[slot] = expiresAtMs;
  }

  #within(atMs: number): number {
    return Math.min(this.#toMs, Math.max(this.#fromMs, atMs));
  }
}

/**
 * Looks of a host that waits: after 40 ms, then each time 1.6 times as long, 400 ms at
 * most, as `core/remote/leases.ts` has it.
 */
function looksWithin(waitMs: number): number {
  let looks = 0;
  let pauseMs = 40;
  for (let atMs = 0; atMs < waitMs; looks++) {
    atMs += pauseMs;
    pauseMs = Math.min(400, 1.6 * pauseMs);
  }
  return looks;
}
