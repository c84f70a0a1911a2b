/** The bucket of a job, and the ways to it. */
import { s3Tier, type S3TierOptions } from "@media-cache/media-cache/s3";
import { MediaCache } from "@media-cache/media-cache";
import { AwsClient } from "aws4fetch";
import { createHash } from "node:crypto";
import { join } from "@std/path";
import type { Work } from "../work.ts";
import { randomBytes } from "./job.ts";

/** Members of every job with a remote tier. */
export interface RemoteWork extends Work {
  /** The bucket, and a prefix that is the job's own. */
  readonly tier: S3TierOptions & {
    readonly credentials: {
      readonly accessKeyId: string;
      readonly secretAccessKey: string;
    };
  };
  /** The number of measured lookups. */
  readonly count: number;
  /** The number of unmeasured lookups before. */
  readonly warmUp: number;
  /**
   * The way to an object: this package with its tier, this package without it, a signed GET,
   * or a bare GET of a URL that was signed before.
   */
  readonly how: "tier" | "alone" | "signed" | "bare";
}

/** Opens a cache on a fresh directory, with the tier unless it is to be alone. */
export function openCache(
  { dir, tier, how }: RemoteWork,
  name: string,
): Promise<MediaCache> {
  return MediaCache.open({
    cacheDir: join(dir, name),
    maxSizeMb: 4096,
    ...(how !== "alone" && { remote: s3Tier(tier) }),
  });
}

/** Has another host put bodies into the bucket. */
export async function fillBucket(
  work: RemoteWork,
  urls: readonly string[],
  size: number,
): Promise<void> {
  const tier = { ...work.tier, maxQueuedUploads: urls.length };
  const filling: RemoteWork = { ...work, tier, how: "tier" };
  const cache = await openCache(filling, `filler-${size}`);
  const data = randomBytes(size);
  for (const url of urls) await cache.put(url, data, "video/mp4", "clip.mp4");
  await cache.close({ timeoutMs: 60_000 });
}

/** A client that signs. */
export function signer({ tier }: RemoteWork): AwsClient {
  const own = { service: "s3", region: "us-east-1", retries: 0 };
  const { accessKeyId, secretAccessKey } = tier.credentials;
  return new AwsClient({ accessKeyId, secretAccessKey, ...own });
}

/** The URL of the object of a media URL. */
export function objectUrl({ tier }: RemoteWork, url: string): string {
  const key = createHash("sha256").update(url).digest("hex");
  const { endpoint, bucket, prefix = "" } = tier;
  return `${endpoint}/${bucket}/${prefix}v1/${key.slice(0, 2)}/${key}`;
}

/** The same, with a signature that a bare GET can use. */
export async function signedUrl(
  work: RemoteWork,
  url: string,
): Promise<string> {
  const signed = await signer(work).sign(objectUrl(work, url), {
    aws: { signQuery: true },
  });
  return signed.url;
}
