import { MediaCacheError } from "../api/errors.ts";
import { fitsSidecar, formatSidecar, type Sidecar } from "../disk/sidecar.ts";
import type { StagedFacts, StagedPause } from "../disk/staged_description.ts";
import type { StagedFile } from "../disk/staged_file.ts";
import {
  CROWDED,
  type Reservation,
  TOO_LARGE,
  URL_TOO_LONG,
} from "../disk/staging_budget.ts";
import type { DownloadParts, DownloadTask } from "./download_parts.ts";
import type { Source } from "./source.ts";

/** Reason: the disk failed to take the body. */
export const DISK_FAILED = "the disk failed";
const UNUSABLE = "the directory can't be used";

/** The place of a staged body. */
export interface StagingPlace {
  /** The staged file. */
  readonly staged: StagedFile;
  /** The body's share of the staging budget. */
  readonly reservation: Reservation;
}

/**
 * Stages the body of a download.
 *
 * @param source The facts of the body.
 * @param claimed The file to stage the body in, if there is one; closed if the body
 * can't be stored.
 * @returns The place, or the reason, a string, why the body can't be stored.
 */
export async function stageBody(
  { options, staging, store, errors }: DownloadParts,
  { url, key }: DownloadTask,
  source: Source,
  claimed: StagedFile | undefined,
): Promise<StagingPlace | string> {
  const { size = 0, mimetype, filename } = source;
  const uncachedReason = options.readOnly
    ? "the cache is read-only"
    : options.maxEntryBytes === 0
    ? "the cache may store nothing"
    : !fitsSidecar({ url, mimetype, filename })
    ? URL_TOO_LONG
    : source.uncachedReason ??
      (size > options.maxEntryBytes ? TOO_LARGE : undefined);
  let staged = claimed;
  const lender = {
    get isFollowed() {
      return staged?.description?.isFollowed === true;
    },
  };
  const reservation = uncachedReason === undefined
    ? staging.reserve(size, lender)
    : undefined;
  if (reservation === undefined) {
    await claimed?.close();
    return uncachedReason ?? CROWDED;
  }
  try {
    staged ??= await store.stage(key);
    return { staged, reservation };
  } catch (error) {
    reservation.release();
    errors.report("stage a download", error);
    return error instanceof MediaCacheError ? UNUSABLE : DISK_FAILED;
  }
}

/**
 * Describes a staged body for other processes, or tells them why it has no facts yet. Never
 * rejects.
 */
export async function describeBody(
  { claims, errors }: DownloadParts,
  { key }: DownloadTask,
  staged: StagedFile,
  facts: StagedFacts | StagedPause,
): Promise<void> {
  try {
    await claims.describe(key, staged, facts);
  } catch (error) {
    // The download has failed meanwhile and closed its files.
    if (error instanceof Deno.errors.BadResource) return;
    // The download goes on without a description.
    errors.report("describe a download", error);
  }
}

/** Tells followers that a staged body is complete, although it is not stored. Never rejects. */
export async function describeWhole(
  { description }: StagedFile,
  sidecar: Omit<Sidecar, "ts">,
): Promise<void> {
  const text = formatSidecar({ ...sidecar, ts: Date.now() / 1000 });
  try {
    await description?.complete(text, false);
  } catch {
    // Followers will see that the file has lost its name.
  }
}
