import type { DownloadInfo } from "../../core/api/download.ts";
import type { MediaCache } from "../../core/media_cache.ts";
import type { CacheLimits, CacheStats } from "../../core/api/stats.ts";
import type { FailureCount } from "../metrics/failure_counts.ts";
import type { Monitor } from "../metrics/monitor.ts";
import type { RecentEvent } from "../metrics/recent_events.ts";
import { Timeline } from "../metrics/timeline.ts";
import type { Top, TopEntries } from "../media/top_entries.ts";

/** All facts of one moment that the dashboard shows. */
export interface DashboardView {
  /** The stats of the cache. */
  readonly stats: CacheStats;
  /** The caps of the stats. */
  readonly limits: CacheLimits;
  /** Why nothing can be stored; undefined where storing works. */
  readonly fault: string | undefined;
  /** The stats over time. */
  readonly timeline: Timeline;
  /** Downloads that failed, by reason. */
  readonly failures: readonly FailureCount[];
  /** Running downloads, oldest first. */
  readonly downloads: readonly DownloadInfo[];
  /** The last events, newest first. */
  readonly events: readonly RecentEvent[];
  /**
   * The largest and the most used entries; undefined where names may not be
   * shown.
   */
  readonly top: Top | undefined;
}

/**
 * Reads all facts of a cache.
 *
 * @param top Finds entries; undefined where names may not be shown.
 */
export async function viewOf(
  cache: MediaCache,
  monitor: Monitor,
  top: TopEntries | undefined,
): Promise<DashboardView> {
  const [fault, found] = await Promise.all([cache.probe(), findTop(top)]);
  const now = Date.now();
  const stats = cache.stats();
  return {
    stats,
    limits: cache.limits,
    fault,
    timeline: new Timeline(monitor.history.samples(now), now),
    failures: monitor.failures.list(stats.failures)
      .filter(({ count }) => count > 0),
    downloads: cache.inFlight(),
    events: monitor.events.list(),
    top: found,
  };
}

async function findTop(top: TopEntries | undefined): Promise<Top | undefined> {
  try {
    return await top?.find();
  } catch {
    // The cache is closed, which the fault tells.
    return { largest: [], mostUsed: [] };
  }
}
