import { missingPermission } from "../../core/inspection.ts";
import { MediaCache } from "../../core/media_cache.ts";
import type { MediaCacheOptions } from "../../core/api/options.ts";
import { describeRefusal } from "../../core/text/refusable.ts";
import type { Call } from "./call.ts";
import { Failure, reasonOf } from "./failures.ts";
import { expectFolder } from "./user_files.ts";

/** Options of {@linkcode openCache}. */
export interface OpenOptions extends Omit<MediaCacheOptions, "cacheDir"> {
  /** Whether a missing folder is created. */
  create?: boolean;
}

/** An open cache, and the faults found so far. */
export interface OpenedCache extends AsyncDisposable {
  /** The cache. */
  readonly cache: MediaCache;
  /** Number of disk errors, each of which was printed. */
  readonly diskErrors: number;
  /** Number of files, found while loading, that belong to no entry. */
  readonly leftovers: number;
}

/**
 * Opens the cache of a call. Only the command itself adds and removes entries:
 * nothing is evicted unless the command sets a limit.
 *
 * @throws {Failure} If a permission or the folder is missing.
 */
export async function openCache(
  { dir, output }: Call,
  { create = false, ...options }: OpenOptions,
): Promise<OpenedCache> {
  await expectUsable(dir, options.readOnly !== true, create);
  const seen = { diskErrors: 0, leftovers: 0 };
  const cache = new MediaCache({
    maxSizeMb: Infinity,
    maxMemoryItems: 0,
    ...options,
    cacheDir: dir,
    onEvent: (event) => {
      if (event.type === "skipped") seen.leftovers++;
      else if (event.type === "diskError") {
        seen.diskErrors++;
        output.complain(`can't ${event.operation}: ${reasonOf(event.error)}`);
      } else if (event.type === "conversionUnavailable") {
        output.complain(`GIFs stay GIFs: ${event.reason}`);
      } else if (event.type === "degraded") {
        output.complain(describeRefusal(event));
      }
    },
  });
  return {
    cache,
    get diskErrors() {
      return seen.diskErrors;
    },
    get leftovers() {
      return seen.leftovers;
    },
    [Symbol.asyncDispose]: () => cache.close({ abort: true }),
  };
}

/** Throws unless the folder exists, or may be created, and can be used. */
export async function expectUsable(
  dir: string,
  write: boolean,
  create: boolean,
): Promise<void> {
  const missing = missingPermission(dir, write);
  if (missing !== undefined) {
    throw new Failure(`can't open ${dir}: missing ${missing}`);
  }
  if (!create) await expectFolder(dir);
}
