/**
 * A second tier on an object store that speaks S3: AWS S3, Cloudflare R2, Ceph RGW, MinIO
 * and others. Several hosts share their media through one bucket.
 *
 * ```ts
 * import { s3Tier } from "@media-cache/media-cache/s3";
 *
 * const remote = s3Tier({
 *   endpoint: "https://s3.eu-central-1.amazonaws.com",
 *   bucket: "bot-media",
 *   credentials: { accessKeyId: "key", secretAccessKey: "secret" },
 * });
 * console.log(remote.name); // "s3.eu-central-1.amazonaws.com/bot-media"
 * ```
 *
 * The tier is the option `remote` of a cache. It needs `--allow-net` for the host of the
 * bucket; {@linkcode s3TierFromEnv} reads variables of the environment as well.
 *
 * @module
 */
export { s3Tier } from "./s3_tier.ts";
export type { S3TierOptions } from "./s3_tier_options.ts";
export type { S3Credentials } from "./credentials.ts";
export { type Environment, s3TierFromEnv } from "./s3_tier_from_env.ts";
