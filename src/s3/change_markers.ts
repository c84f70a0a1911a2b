import type { RemoteChange, RemoteChanges } from "../core/api/remote_tier.ts";
import { refusalOf, serverTimeOf } from "./engine_answer.ts";
import { namesOf } from "./listing.ts";
import type { ObjectKeys } from "./object_keys.ts";
import type { S3Client } from "./s3_client.ts";

/** The most names of one page of a listing; the most that AWS S3 gives. */
const PAGE_NAMES = 1000;

/** The most pages that one call reads: an old bucket may have a week of markers. */
const MAX_PAGES = 10;

/**
 * After so long a call ends with the page that it reads, in milliseconds: the cache limits the
 * time of a call, and what was read must not be lost.
 */
const ENOUGH_MS = 2000;

/**
 * How much earlier than the last listing the next one starts, in milliseconds. A marker is
 * named by the time of the change, and is written a request later.
 */
const OVERLAP_MS = 60_000;

/**
 * Markers of deleted and replaced entries, by which other hosts learn of them. A marker is
 * an empty object whose name has the time by the clock of the store, so that the clocks
 * of the hosts do not matter.
 */
export class ChangeMarkers {
  readonly #client: S3Client;
  readonly #keys: ObjectKeys;
  readonly #host: string;

  /**
   * Keeps the parts.
   *
   * @param host Eight hexadecimal digits, by which this host knows its own markers.
   */
  constructor(client: S3Client, keys: ObjectKeys, host: string) {
    this.#client = client;
    this.#keys = keys;
    this.#host = host;
  }

  /**
   * Tells other hosts of a change that the store has made.
   *
   * @param key The key of the entry.
   * @param timeMs When the store has made it, by its own clock.
   */
  async mark(key: string, timeMs: number, signal: AbortSignal): Promise<void> {
    const name = this.#keys.change({ timeMs, host: this.#host, key });
    const answer = await this.#client.request({ method: "PUT", name }, signal);
    if (!answer.ok) throw await refusalOf(answer);
    this.#client.drop(answer);
  }

  /**
   * Lists the changes by other hosts. Those of the last minute are told again.
   *
   * @param after The `next` of the last call; undefined for all markers.
   */
  async list(
    after: string | undefined,
    signal: AbortSignal,
  ): Promise<RemoteChanges> {
    const changes: RemoteChange[] = [];
    const startedAt = performance.now();
    let position = after;
    for (let page = 0; page < MAX_PAGES; page++) {
      if (performance.now() - startedAt > ENOUGH_MS) break;
      const answer = await this.#client.request({
        method: "GET",
        name: "",
        query: {
          "list-type": "2",
          "encoding-type": "url",
          "max-keys": String(PAGE_NAMES),
          prefix: this.#keys.changes,
          ...(position === undefined ? {} : { "start-after": position }),
        },
      }, signal);
      if (!answer.ok) throw await refusalOf(answer);
      const nowMs = serverTimeOf(answer);
      const { names, isTruncated } = await namesOf(answer);
      for (const name of names) {
        const change = this.#keys.namedChange(name);
        if (change === undefined || change.host === this.#host) continue;
        const ageMs = Math.max(0, nowMs - change.timeMs);
        changes.push({ key: change.key, ageMs });
      }
      const last = names.at(-1);
      if (!isTruncated || last === undefined) {
        const start = this.#keys.changesFrom(nowMs - OVERLAP_MS);
        return { changes, next: start };
      }
      position = last;
    }
    return { changes, next: position ?? "" };
  }
}
