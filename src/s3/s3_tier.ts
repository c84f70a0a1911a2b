import type {
  RemoteChanges,
  RemoteLease,
  RemoteLimits,
  RemoteObject,
  RemoteProbe,
  RemotePut,
  RemoteTier,
} from "../core/api/remote_tier.ts";
import { abortableBody } from "./abortable_body.ts";
import { BucketLease } from "./bucket_lease.ts";
import { probeBucket } from "./bucket_probe.ts";
import { ChangeMarkers } from "./change_markers.ts";
import { codeOfError, refusalOf, serverTimeOf } from "./engine_answer.ts";
import { entryOf, metadataOf } from "./entry_metadata.ts";
import { ObjectKeys } from "./object_keys.ts";
import { S3Client } from "./s3_client.ts";
import { checkOptions, type S3TierOptions } from "./s3_tier_options.ts";

/**
 * Makes a tier of a bucket. No request is made before the cache needs one, and the bucket
 * must exist.
 *
 * @param options The bucket, its keys, and the limits of the tier.
 * @returns The tier, for one cache. Two that share one would take the changes and the leases
 * of each other for their own.
 * @throws {TypeError} If an option is of the wrong type, or unknown. No message shows
 * credentials.
 * @throws {RangeError} If an option has another wrong value.
 *
 * @example Take a lease, so that of several hosts only one downloads
 * ```ts
 * import { s3Tier } from "@media-cache/media-cache/s3";
 * import { assertEquals } from "@std/assert";
 *
 * const remote = s3Tier({
 *   endpoint: "http://127.0.0.1:9000",
 *   bucket: "bot-media",
 *   prefix: "cats/",
 *   lease: "bucket",
 *   credentials: { accessKeyId: "minioadmin", secretAccessKey: "minioadmin" },
 * });
 *
 * assertEquals(remote.name, "127.0.0.1:9000/bot-media/cats");
 * ```
 */
export function s3Tier(options: S3TierOptions): RemoteTier {
  const { bucket, name, prefix, lease, limits } = checkOptions(options);
  const host = crypto.randomUUID().slice(0, 8);
  const client = new S3Client(bucket);
  const keys = new ObjectKeys(prefix);
  const leases = lease === "bucket"
    ? new BucketLease(client, keys, host)
    : undefined;
  const changes = new ChangeMarkers(client, keys, host);
  return new S3Tier({ ...{ name, limits, client, keys, leases, changes } });
}

interface Parts {
  readonly name: string;
  readonly limits: RemoteLimits;
  readonly client: S3Client;
  readonly keys: ObjectKeys;
  readonly leases: BucketLease | undefined;
  readonly changes: ChangeMarkers;
}

class S3Tier implements RemoteTier {
  readonly name: string;
  readonly limits: RemoteLimits;
  readonly lease?: NonNullable<RemoteTier["lease"]>;

  // Private, so that a tier that is printed shows no credentials.
  readonly #client: S3Client;
  readonly #keys: ObjectKeys;
  readonly #leases: BucketLease | undefined;
  readonly #changes: ChangeMarkers;

  /** Whether the bucket has answered: a 404 then means that it has no such object. */
  #isBucketKnown = false;

  constructor({ name, limits, client, keys, leases, changes }: Parts) {
    this.name = name;
    this.limits = limits;
    this.#client = client;
    this.#keys = keys;
    this.#leases = leases;
    this.#changes = changes;
    if (leases !== undefined) {
      this.lease = (key, ttlMs, signal): Promise<RemoteLease> =>
        leases.take(key, ttlMs, signal);
    }
  }

  async get(
    key: string,
    signal: AbortSignal,
  ): Promise<RemoteObject | undefined> {
    const answer = await this.#client.request(
      { method: "GET", name: this.#keys.entry(key) },
      signal,
    );
    if (answer.status !== 200) return await this.#missing(answer);
    this.#isBucketKnown = true;
    const entry = entryOf(answer.headers);
    if (entry === undefined) {
      this.#client.drop(answer);
      return undefined;
    }
    const body = answer.body ?? new Blob().stream();
    return { entry, body: abortableBody(body, signal) };
  }

  async has(key: string, signal: AbortSignal): Promise<boolean> {
    const answer = await this.#client.request(
      { method: "HEAD", name: this.#keys.entry(key) },
      signal,
    );
    if (answer.status !== 200) return await this.#missing(answer) ?? false;
    return entryOf(answer.headers) !== undefined;
  }

  async put(
    key: string,
    { entry, open, replaces }: RemotePut,
    signal: AbortSignal,
  ): Promise<void> {
    const answer = await this.#client.upload({
      name: this.#keys.entry(key),
      headers: metadataOf(entry),
      ...{ size: entry.size, sha256: entry.sha256, open },
    }, signal);
    if (!answer.ok) {
      this.#isBucketKnown = false;
      throw await refusalOf(answer);
    }
    this.#client.drop(answer);
    if (replaces) {
      await this.#changes.mark(key, serverTimeOf(answer), signal);
    }
  }

  async delete(key: string, signal: AbortSignal): Promise<void> {
    const answer = await this.#client.request(
      { method: "DELETE", name: this.#keys.entry(key) },
      signal,
    );
    if (!answer.ok) await this.#missing(answer);
    else this.#client.drop(answer);
    // After the object: a host that learns of the change must not find the object again.
    await Promise.all([
      this.#changes.mark(key, serverTimeOf(answer), signal),
      this.#leases?.end(key, signal),
    ]);
  }

  probe(signal: AbortSignal): Promise<RemoteProbe> {
    const isReadOnly = this.limits.readOnly === true;
    return probeBucket(this.#client, this.#keys, isReadOnly, signal);
  }

  changes(
    after: string | undefined,
    signal: AbortSignal,
  ): Promise<RemoteChanges> {
    return this.#changes.list(after, signal);
  }

  async close(): Promise<void> {
    await this.#client.close();
  }

  /** Undefined for an answer that there is no object; throws for any other refusal. */
  async #missing(answer: Response): Promise<undefined> {
    if (answer.status === 404 && this.#isBucketKnown) {
      this.#client.drop(answer);
      return;
    }
    const refusal = await refusalOf(answer);
    const code = codeOfError(refusal);
    // Without its bucket the store answers 404 too, which is no miss.
    if (answer.status !== 404 || code === "NoSuchBucket") throw refusal;
    this.#isBucketKnown = code === "NoSuchKey";
  }
}
