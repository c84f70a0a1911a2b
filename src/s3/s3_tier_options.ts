import { OptionCheck } from "../core/api/option_check.ts";
import type { RemoteLimits } from "../core/api/remote_tier.ts";
import { CredentialSource, type S3Credentials } from "./credentials.ts";
import type { Bucket } from "./s3_client.ts";

/** Options of `s3Tier()`. */
export interface S3TierOptions extends RemoteLimits {
  /**
   * The address of the object store, such as `https://s3.eu-central-1.amazonaws.com`, where
   * the bucket becomes the first segment of the path. `{bucket}` marks another place for
   * it: `https://{bucket}.s3.eu-central-1.amazonaws.com`.
   *
   * `http:` needs a loopback address, or `allowHttp`.
   */
  readonly endpoint: string;
  /** The name of the bucket, which must exist. */
  readonly bucket: string;
  /**
   * The region that requests are signed for.
   *
   * @default That of an endpoint of AWS, `auto` for R2, else `us-east-1`, which Ceph and MinIO
   * take.
   */
  readonly region?: string | undefined;
  /**
   * The keys, or a function that returns temporary ones: it is called for the first
   * request, every five minutes of use, and when the store refuses those it gave.
   */
  readonly credentials: S3Credentials | (() => Promise<S3Credentials>);
  /**
   * The start of all names in the bucket, such as `bots/`: hosts with one prefix share
   * their media. Letters, digits and `_.-`, in segments that each end with a slash.
   *
   * @default {""}
   */
  readonly prefix?: string | undefined;
  /**
   * Whether of several hosts that miss the same URL only one downloads it: "bucket" takes
   * a lease by a conditional PUT, after a probe has proved that the store keeps conditions.
   *
   * @default {"off"}
   */
  readonly lease?: "off" | "bucket" | undefined;
  /**
   * Whether an `http:` endpoint may be another machine, as in a private network. Media and
   * session tokens cross it in the clear; the secret key is never sent.
   *
   * @default {false}
   */
  readonly allowHttp?: boolean | undefined;
}

/** Options of `s3Tier()` that were checked. */
export interface CheckedOptions {
  /** The bucket and its keys. */
  readonly bucket: Bucket;
  /** Host, bucket and prefix, for people. */
  readonly name: string;
  /** The start of all names in the bucket. */
  readonly prefix: string;
  /** Whether hosts download by lease. */
  readonly lease: "off" | "bucket";
  /** The limits that the cache keeps and checks. */
  readonly limits: RemoteLimits;
}

/** The place of the bucket in an endpoint. */
const PLACE = "{bucket}";

/** Names that AWS allows today, and those of older buckets; no dots alone. */
const BUCKET_REGEXP = /^(?!\.+$)[A-Za-z0-9][A-Za-z0-9._-]{1,254}$/;

const PREFIX_REGEXP = /^(?:(?!\.{1,2}\/)[\w.-]+\/)*$/;

const REGION_REGEXP = /^[A-Za-z0-9-]{1,64}$/;

const LOOPBACK_REGEXP =
  /^(?:localhost|(?:.+\.)?localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

const LIMITS: Record<keyof RemoteLimits, true> = {
  lookupTimeoutMs: true,
  idleTimeoutMs: true,
  uploadTimeoutMs: true,
  maxConcurrentLookups: true,
  maxConcurrentUploads: true,
  maxQueuedUploads: true,
  maxEntryMb: true,
  leaseTtlMs: true,
  leaseWaitMs: true,
  changesEveryMs: true,
  readOnly: true,
};

/** The longest prefix: names may have 1,024 bytes, and ours need 110 behind it. */
const MAX_PREFIX_LENGTH = 512;

/**
 * Checks the options of `s3Tier()`; the limits are checked by the cache.
 *
 * @throws {TypeError} If an option is of the wrong type, or unknown.
 * @throws {RangeError} If an option has another wrong value.
 */
export function checkOptions(options: S3TierOptions): CheckedOptions {
  const check = new OptionCheck("use object store");
  check.object("options", options);
  const {
    endpoint,
    bucket,
    region,
    credentials,
    prefix = "",
    lease = "off",
    allowHttp = false,
    ...limits
  } = options;
  checkLimitNames(check, limits);
  check.value(
    "bucket",
    bucket ?? null,
    "string",
    "the name of a bucket",
    (each) => BUCKET_REGEXP.test(each),
  );
  check.value(
    "region",
    region,
    "string",
    "the name of a region",
    (each) => REGION_REGEXP.test(each ?? ""),
  );
  check.value(
    "prefix",
    prefix,
    "string",
    "empty, or segments of letters, digits and _.- that each end with a slash",
    (each) => each.length <= MAX_PREFIX_LENGTH && PREFIX_REGEXP.test(each),
  );
  check.choice("lease", lease, ["off", "bucket"]);
  check.value("allowHttp", allowHttp, "boolean");
  const url = bucketUrl(check, endpoint, bucket, allowHttp);
  const host = url.host.startsWith(`${bucket}.`)
    ? url.host.slice(bucket.length + 1)
    : url.host;
  return {
    bucket: { url, region, credentials: new CredentialSource(credentials) },
    name: `${host}/${bucket}${prefix === "" ? "" : `/${prefix.slice(0, -1)}`}`,
    ...{ prefix, lease, limits },
  };
}

/** Refuses names that are no limit: a misspelt option would do nothing. */
function checkLimitNames(check: OptionCheck, limits: RemoteLimits): void {
  const others = Object.entries(limits).filter(([name]) =>
    !Object.hasOwn(LIMITS, name)
  );
  check.nothingLeft(Object.fromEntries(others));
}

/** The address of the bucket with a slash at its end. */
function bucketUrl(
  check: OptionCheck,
  endpoint: string,
  bucket: string,
  allowHttp: boolean,
): URL {
  const wanted =
    "an https URL without user, query and fragment, where {bucket} may stand once";
  // An endpoint may hold a password by mistake, so that its value is not shown.
  const wrong = (found: string) =>
    check.error(
      typeof endpoint === "string" ? RangeError : TypeError,
      "endpoint",
      wanted,
      found,
    );
  if (typeof endpoint !== "string") throw wrong(typeof endpoint);
  const [before = "", after, ...more] = endpoint.split(PLACE);
  const url = URL.parse(before + (after === undefined ? "" : bucket + after));
  const isPlaced = more.length === 0 && !/[{}]/.test(before + (after ?? ""));
  if (url === null || !isPlaced) throw wrong("another string");
  if (url.username !== "" || url.password !== "") {
    throw wrong("one with a user");
  }
  if (url.search !== "" || url.hash !== "") throw wrong("one with a query");
  if (url.protocol !== "https:" && url.protocol !== "http:") {
    throw wrong(`one of ${url.protocol}`);
  }
  const isPlain = url.protocol === "http:" &&
    !LOOPBACK_REGEXP.test(url.hostname);
  if (isPlain && !allowHttp) {
    throw check.error(
      RangeError,
      "endpoint",
      "https, or http on a loopback address, or http with allowHttp (MEDIA_CACHE_S3_ALLOW_HTTP=true)",
      "http on another machine",
    );
  }
  url.pathname = url.pathname.replace(/\/*$/, "/");
  if (after === undefined) url.pathname += `${bucket}/`;
  return url;
}
