import type { RemoteLease } from "../core/api/remote_tier.ts";
import { parseHttpDate } from "../core/text/http_date.ts";
import { refusalOf, serverTimeOf } from "./engine_answer.ts";
import type { ObjectKeys } from "./object_keys.ts";
import type { S3Client } from "./s3_client.ts";

/** The header by which a host knows its own leases. */
const HOST_HEADER = "x-amz-meta-host";

/** After so many leases that were never given back, a key has none until they are removed. */
const MAX_GENERATIONS = 8;

/** How soon to ask again where the store does not tell who has the lease, in milliseconds. */
const UNKNOWN_LEFT_MS = 1000;

/**
 * Leases as objects that only one host can create (`If-None-Match: *`). Their age is the
 * difference of two times by the clock of the store, so that the clocks of the hosts do
 * not matter. A lease that is too old is followed by that of the next generation, which
 * again only one host can create: to replace it would race.
 */
export class BucketLease {
  readonly #client: S3Client;
  readonly #keys: ObjectKeys;
  readonly #host: string;

  /**
   * Keeps the parts.
   *
   * @param host Eight hexadecimal digits, by which this host knows its own leases.
   */
  constructor(client: S3Client, keys: ObjectKeys, host: string) {
    this.#client = client;
    this.#keys = keys;
    this.#host = host;
  }

  /**
   * Takes the lease of a key, or tells how long another host has it.
   *
   * @param ttlMs How long a lease lasts, in milliseconds.
   */
  async take(
    key: string,
    ttlMs: number,
    signal: AbortSignal,
  ): Promise<RemoteLease> {
    for (let generation = 0; generation < MAX_GENERATIONS; generation++) {
      const name = this.#keys.lease(key, generation);
      const takenAt = performance.now();
      if (await this.#create(name, signal)) {
        const release = async (signal: AbortSignal) => {
          // Another host may have taken the lease over, and need it.
          if (performance.now() - takenAt < ttlMs) {
            await this.#remove(name, signal);
          }
        };
        return { held: true, release };
      }
      const leftMs = await this.#leftMs(name, ttlMs, signal);
      if (leftMs > 0) return { held: false, leftMs };
    }
    return { held: true };
  }

  /** Ends a lease of a key that was deleted: its download is out of date. */
  async end(key: string, signal: AbortSignal): Promise<void> {
    await this.#remove(this.#keys.lease(key, 0), signal);
  }

  async #create(name: string, signal: AbortSignal): Promise<boolean> {
    const headers = { "if-none-match": "*", [HOST_HEADER]: this.#host };
    const answer = await this.#client.request(
      { method: "PUT", name, headers },
      signal,
    );
    // 409: another host creates it now. 429: R2 takes one write a second of an object.
    const isTaken = [409, 412, 429].includes(answer.status);
    if (!answer.ok && !isTaken) throw await refusalOf(answer);
    this.#client.drop(answer);
    return answer.ok;
  }

  /** How long the lease still lasts; 0 where the next generation may be taken. */
  async #leftMs(
    name: string,
    ttlMs: number,
    signal: AbortSignal,
  ): Promise<number> {
    const answer = await this.#client.request({ method: "HEAD", name }, signal);
    if (answer.status === 404) return Math.min(ttlMs, UNKNOWN_LEFT_MS);
    if (!answer.ok) throw await refusalOf(answer);
    // A host downloads a key once at a time: its lease is that of a download that has ended.
    if (answer.headers.get(HOST_HEADER) === this.#host) return 0;
    const modified = answer.headers.get("last-modified") ?? "";
    const nowMs = serverTimeOf(answer);
    const ageMs = nowMs - (parseHttpDate(modified) ?? nowMs);
    return Math.max(0, ttlMs - ageMs);
  }

  async #remove(name: string, signal: AbortSignal): Promise<void> {
    const answer = await this.#client.request(
      { method: "DELETE", name },
      signal,
    );
    if (!answer.ok && answer.status !== 404) throw await refusalOf(answer);
    this.#client.drop(answer);
  }
}
