import type { RemoteStats } from "../../core/api/remote_tier.ts";
import { counter, gauge, type MetricFamily } from "./metric_family.ts";

/** Whether hosts download by lease, as labels. */
const LEASES = ["off", "unproven", "refused", "paused", "on"] as const;

/** The metrics of a remote tier. None tells its name, which may be that of a host. */
export function remoteFamilies(stats: RemoteStats): MetricFamily[] {
  return [
    counter("remote_hits", "Misses that an object answered.", stats.hits),
    counter("remote_misses", "Misses without an object.", stats.misses),
    counter(
      "remote_errors",
      "Calls to the remote tier that failed or took too long.",
      stats.errors,
    ),
    counter(
      "remote_timeouts",
      "Calls to the remote tier that took too long.",
      stats.timeouts,
    ),
    counter(
      "remote_skipped",
      "Lookups that were not made: the tier was down or busy.",
      stats.skipped,
    ),
    counter(
      "remote_corrupt",
      "Objects whose bytes were not those of their digest.",
      stats.corrupt,
    ),
    counter(
      "remote_continued",
      "Objects that broke and that the origin completed.",
      stats.continued,
    ),
    counter(
      "remote_received_bytes",
      "Bytes received from the remote tier.",
      stats.bytesReceived,
      "bytes",
    ),
    counter("remote_uploads", "Objects stored.", stats.uploads),
    counter(
      "remote_uploads_skipped",
      "Uploads that were skipped: the queue was full, the tier down, or the entry gone.",
      stats.uploadsSkipped,
    ),
    counter(
      "remote_sent_bytes",
      "Bytes of the objects stored.",
      stats.bytesSent,
      "bytes",
    ),
    counter(
      "remote_leases_held",
      "Downloads here under a lease.",
      stats.leasesHeld,
    ),
    counter(
      "remote_leases_awaited",
      "Downloads here that a lease of another host saved.",
      stats.leasesAwaited,
    ),
    counter(
      "remote_changes_applied",
      "Entries dropped since another host deleted or replaced them.",
      stats.changesApplied,
    ),
    gauge(
      "remote_up",
      "1 while the remote tier is asked, 0 after failures.",
      stats.state === "up" ? 1 : 0,
    ),
    gauge(
      "remote_uploads_queued",
      "Uploads that wait or run.",
      stats.uploadsQueued,
    ),
    {
      name: "remote_lease",
      help: "1 for what is known of leases.",
      type: "gauge",
      series: LEASES.map((state) => ({
        label: ["state", state],
        value: stats.lease === state ? 1 : 0,
      })),
    },
  ];
}
