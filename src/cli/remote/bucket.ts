import { HttpStatusError } from "../../core/api/errors.ts";
import type { RemoteTier } from "../../core/api/remote_tier.ts";
import { Failure, reasonOf } from "../call/failures.ts";

/** The variable that says whether there is a bucket. */
const ENDPOINT = "MEDIA_CACHE_S3_ENDPOINT";

/** The least permissions of commands that use the bucket. */
export const BUCKET_PERMISSIONS = "--allow-env --allow-net=HOST";

/**
 * The bucket that the environment names; undefined where it names none, or may not be
 * read. Never prompts. The code for buckets is loaded here, so that other commands don't
 * pay for it.
 *
 * @throws {Failure} If the environment names it wrongly.
 */
export async function findBucket(): Promise<RemoteTier | undefined> {
  const { state } = Deno.permissions.querySync({
    name: "env",
    variable: ENDPOINT,
  });
  if (state !== "granted" || !Deno.env.get(ENDPOINT)) return undefined;
  const { s3TierFromEnv } = await import("../../s3/s3.ts");
  try {
    return s3TierFromEnv();
  } catch (error) {
    throw new Failure(reasonOf(error), { cause: error });
  }
}

/** A bucket in use. */
export interface OpenedBucket extends AsyncDisposable {
  /** The tier that speaks to it. */
  readonly tier: RemoteTier;
}

/** Opens the bucket that the environment names. */
export async function openBucket(): Promise<OpenedBucket> {
  const tier = await findBucket();
  if (tier !== undefined) {
    return { tier, [Symbol.asyncDispose]: async () => await tier.close?.() };
  }
  throw new Failure(
    `no bucket: ${ENDPOINT} must be set, and --allow-env must let it be read`,
  );
}

/** Why a call to a bucket has failed. */
export function faultOf(error: unknown): string {
  // The message of the status is that of a download; the cause knows the store's answer.
  const told = error instanceof HttpStatusError && error.cause instanceof Error
    ? error.cause
    : error;
  const reason = reasonOf(told).replace(/^Cannot use object store: /, "");
  // The answer to a HEAD has no code; a probe asks otherwise.
  return /received HTTP \d+$/.test(reason)
    ? `${reason}; 'media-cache remote probe' tells more`
    : reason;
}
