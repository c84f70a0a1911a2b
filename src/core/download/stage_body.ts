import { MediaCacheError } from "../api/errors.ts";
import { fitsSidecar } from "../disk/sidecar.ts";
import type { StagedFile } from "../disk/staged_file.ts";
import {
  CROWDED,
  type Reservation,
  TOO_LARGE,
  URL_TOO_LONG,
} from "../disk/staging_budget.ts";
import type { DownloadParts, DownloadTask } from "./download_parts.ts";
import type { Source } from "./source.ts";

/** Why a body is not stored whose bytes could not be written. */
export const DISK_FAILED = "the disk failed";
const UNUSABLE = "the directory can't be used";

/** Where a body is staged. */
export interface StagingPlace {
  /** The file. */
  readonly staged: StagedFile;
  /** Its share of the budget of staged bytes. */
  readonly reservation: Reservation;
}

/**
 * Stages the body of a download.
 *
 * @param source What is known of the body.
 * @param claimed The file to stage it in, if there is one yet; closed where the
 * body can't be stored.
 * @returns Where, or the reason why the body can't be stored.
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
  const reservation = uncachedReason === undefined
    ? staging.reserve(size)
    : undefined;
  if (reservation === undefined) {
    await claimed?.close();
    return uncachedReason ?? CROWDED;
  }
  try {
    return { staged: claimed ?? await store.stage(key), reservation };
  } catch (error) {
    reservation.release();
    errors.report("stage a download", error);
    return error instanceof MediaCacheError ? UNUSABLE : DISK_FAILED;
  }
}
