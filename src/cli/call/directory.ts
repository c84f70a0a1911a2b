import { missingPermission } from "../../core/inspection.ts";
import { MediaCache } from "../../core/media_cache.ts";
import type { MediaCacheOptions } from "../../core/api/options.ts";
import { describeRefusal } from "../../core/text/refusable.ts";
import type { Call } from "./call.ts";
import { Failure, reasonOf } from "./failures.ts";
import { expectFolder } from "./user_files.ts";

/** How the cache's folder is opened. */
export interface OpenOptions extends Omit<MediaCacheOptions, "cacheDir"> {
  /** Whether the folder is made when it is missing. */
  create?: boolean;
}

/** An open cache, and what it could not do. */
export interface OpenedCache extends AsyncDisposable {
  /** The cache. */
  readonly cache: MediaCache;
  /** How often the disk failed; each time was told. */
  readonly diskErrors: number;
  /** Files that are no entry and belong to none, as found while loading. */
  readonly leftovers: number;
}

/**
 * Opens the cache of a call. Entries come and go only as the command says:
 * there is no limit that storing could evict for, unless the command sets one.
 *
 * @throws {Failure} If a permission is missing, or the folder.
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

/** Throws unless the folder is there, or may be made, and may be used. */
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
