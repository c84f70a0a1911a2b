import type { RemoteTier } from "../core/api/remote_tier.ts";
import { s3Tier } from "./s3_tier.ts";

/** Variables of an environment, such as `Deno.env`. */
export interface Environment {
  /** The value of a variable; undefined where it is not set. */
  get(name: string): string | undefined;
}

/**
 * Makes a tier of the bucket that the environment names, for programs that are set up
 * from outside.
 *
 * | variable                    | meaning                                               |
 * | --------------------------- | ----------------------------------------------------- |
 * | `MEDIA_CACHE_S3_ENDPOINT`   | `endpoint`; without it there is no tier               |
 * | `MEDIA_CACHE_S3_BUCKET`     | `bucket`                                              |
 * | `MEDIA_CACHE_S3_REGION`     | `region`                                              |
 * | `MEDIA_CACHE_S3_PREFIX`     | `prefix`                                              |
 * | `MEDIA_CACHE_S3_LEASE`      | `lease`: `off` or `bucket`                            |
 * | `MEDIA_CACHE_S3_ALLOW_HTTP` | `allowHttp`: `true` or `false`                        |
 * | `AWS_ACCESS_KEY_ID`         | `credentials.accessKeyId`                             |
 * | `AWS_SECRET_ACCESS_KEY`     | `credentials.secretAccessKey`                         |
 * | `AWS_SESSION_TOKEN`         | `credentials.sessionToken`                            |
 *
 * A variable that is empty counts as not set.
 *
 * @param env The environment; by default that of the process, which takes `--allow-env`
 * with these names.
 * @returns The tier; undefined without `MEDIA_CACHE_S3_ENDPOINT`.
 * @throws {TypeError} If a variable that the tier needs is not set.
 * @throws {RangeError} If a variable has a wrong value.
 *
 * @example Run with a bucket where there is one
 * ```ts
 * import { s3TierFromEnv } from "@media-cache/media-cache/s3";
 * import { assertEquals } from "@std/assert";
 *
 * const remote = s3TierFromEnv(new Map([
 *   ["MEDIA_CACHE_S3_ENDPOINT", "http://127.0.0.1:7480"],
 *   ["MEDIA_CACHE_S3_BUCKET", "bot-media"],
 *   ["AWS_ACCESS_KEY_ID", "key"],
 *   ["AWS_SECRET_ACCESS_KEY", "secret"],
 * ]));
 *
 * assertEquals(remote?.name, "127.0.0.1:7480/bot-media");
 * assertEquals(s3TierFromEnv(new Map()), undefined);
 * ```
 */
export function s3TierFromEnv(
  env: Environment = Deno.env,
): RemoteTier | undefined {
  const read = (name: string) => env.get(name) || undefined;
  const need = (name: string) => {
    const value = read(name);
    if (value !== undefined) return value;
    throw new TypeError(
      `Cannot use object store: ${name} must be set beside MEDIA_CACHE_S3_ENDPOINT: it is not`,
    );
  };
  const endpoint = read("MEDIA_CACHE_S3_ENDPOINT");
  if (endpoint === undefined) return undefined;
  return s3Tier({
    endpoint,
    bucket: need("MEDIA_CACHE_S3_BUCKET"),
    region: read("MEDIA_CACHE_S3_REGION"),
    prefix: read("MEDIA_CACHE_S3_PREFIX"),
    lease: choiceOf("MEDIA_CACHE_S3_LEASE", read, ["off", "bucket"]),
    allowHttp:
      choiceOf("MEDIA_CACHE_S3_ALLOW_HTTP", read, ["false", "true"]) ===
        "true",
    credentials: {
      accessKeyId: need("AWS_ACCESS_KEY_ID"),
      secretAccessKey: need("AWS_SECRET_ACCESS_KEY"),
      sessionToken: read("AWS_SESSION_TOKEN"),
    },
  });
}

function choiceOf<T extends string>(
  name: string,
  read: (name: string) => string | undefined,
  choices: readonly T[],
): T | undefined {
  const value = read(name);
  const choice = choices.find((each) => each === value);
  if (value === undefined || choice !== undefined) return choice;
  throw new RangeError(
    `Cannot use object store: ${name} must be ${
      choices.join(" or ")
    }: received ${JSON.stringify(value)}`,
  );
}
