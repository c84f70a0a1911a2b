import type { MediaCache } from "../../core/media_cache.ts";
import { REFUSABLES } from "../../core/text/refusable.ts";
import {
  counter,
  gauge,
  histogram,
  type MetricFamily,
} from "./metric_family.ts";
import type { Monitor } from "./monitor.ts";
import { remoteFamilies } from "./remote_families.ts";

/** Returns all metrics of a cache. */
export function metricFamilies(
  cache: MediaCache,
  { observations, failures }: Monitor,
): MetricFamily[] {
  const stats = cache.stats();
  const limits = cache.limits;
  const { downloads, firstBytes, hits, bodies } = observations;
  return [
    counter("hits", "Lookups that a stored entry answered.", stats.hits),
    counter("misses", "Lookups that none answered.", stats.misses),
    counter(
      "coalesced",
      "Misses that joined a running download.",
      stats.coalesced,
    ),
    counter(
      "failed_over",
      "Refused links of a caller after which another caller's link was tried.",
      stats.failedOver,
    ),
    counter(
      "refreshed",
      "Refused links that were replaced by new ones.",
      stats.refreshed,
    ),
    counter(
      "resumed",
      "Bodies that broke and went on where they had stopped.",
      stats.resumed,
    ),
    counter(
      "retried",
      "Further attempts after failures that may pass.",
      stats.retried,
    ),
    counter(
      "failures_remembered",
      "Calls that were rejected with a remembered failure.",
      stats.failuresRemembered,
    ),
    counter(
      "addresses_refused",
      "Downloads that failed since their address was refused.",
      stats.addressesRefused,
    ),
    counter(
      "sniffed",
      "Downloads whose type was told by their first bytes.",
      stats.sniffed,
    ),
    counter(
      "revalidated",
      "Stored bodies that the origin has confirmed when they were too old.",
      stats.revalidated,
    ),
    counter(
      "stale",
      "Calls that a body older than its limit of age answered.",
      stats.stale,
    ),
    counter(
      "unacceptable",
      "Calls that were refused for the type of the media.",
      stats.unacceptable,
    ),
    counter(
      "handle_hits",
      "Sends that the handle of an earlier upload has answered.",
      stats.handleHits,
    ),
    counter("uploads", "Uploads of media to a platform.", stats.uploads),
    {
      name: "download_failures",
      help: "Downloads that failed, by reason.",
      type: "counter",
      series: failures.list(stats.failures).map(({ reason, count }) => (
        { label: ["reason", reason], value: count }
      )),
    },
    counter(
      "evictions",
      "Entries that left to make room for others.",
      stats.evictions,
    ),
    counter("conversions", "GIFs converted to MP4.", stats.conversions),
    counter(
      "conversion_failures",
      "GIFs that could not be converted.",
      stats.conversionFailures,
    ),
    counter("disk_errors", "Failures of the file system.", stats.diskErrors),
    counter(
      "downloaded_bytes",
      "Bytes received from downloaders.",
      stats.bytesDownloaded,
      "bytes",
    ),
    counter(
      "served_bytes",
      "Bytes handed to readers.",
      stats.bytesServed,
      "bytes",
    ),
    gauge("entries", "Entries on disk.", stats.entries),
    gauge(
      "memory_entries",
      "Entries whose body is in memory too.",
      stats.entriesInMemory,
    ),
    gauge("downloads", "Downloads that run.", stats.inFlight),
    gauge("disk_bytes", "Bytes of all entries.", stats.totalBytes, "bytes"),
    gauge(
      "disk_limit_bytes",
      "The most that entries may take on disk.",
      limits.maxBytes,
      "bytes",
    ),
    gauge(
      "memory_bytes",
      "Bytes of the bodies in memory.",
      stats.memoryBytes,
      "bytes",
    ),
    gauge(
      "memory_limit_bytes",
      "The most that bodies may take in memory.",
      limits.maxMemoryBytes,
      "bytes",
    ),
    gauge(
      "staged_bytes",
      "Bytes of running downloads and conversions on disk.",
      stats.stagedBytes,
      "bytes",
    ),
    gauge(
      "orphan_bytes",
      "Bytes of leftovers that are to be removed.",
      stats.orphanBytes,
      "bytes",
    ),
    gauge(
      "occupied_bytes",
      "About what all files take on disk, each rounded up to blocks.",
      stats.occupiedBytes,
      "bytes",
    ),
    ...(limits.maxDiskBytes === Infinity ? [] : [
      gauge(
        "occupied_limit_bytes",
        "The most that all files may take on disk.",
        limits.maxDiskBytes,
        "bytes",
      ),
    ]),
    gauge(
      "comparing",
      "1 while entries that an index told of are compared with the directory.",
      stats.comparing ? 1 : 0,
    ),
    {
      name: "degraded",
      help: "1 for an operation that the file system has refused.",
      type: "gauge",
      series: REFUSABLES.map((operation) => ({
        label: ["operation", operation],
        value: stats.degraded.includes(operation) ? 1 : 0,
      })),
    },
    histogram(
      "download_duration_seconds",
      "Time from the start of a download until its body was stored.",
      "seconds",
      [{ value: downloads }],
    ),
    histogram(
      "time_to_first_byte_seconds",
      "Time until a downloader answered.",
      "seconds",
      [{ value: firstBytes }],
    ),
    histogram(
      "hit_duration_seconds",
      "Time of a lookup that hit, by the tier that answered.",
      "seconds",
      [
        { label: ["tier", "memory"], value: hits.memory },
        { label: ["tier", "disk"], value: hits.disk },
        ...(stats.remote === undefined
          ? []
          : [{ label: ["tier", "remote"], value: hits.remote } as const]),
      ],
    ),
    histogram("body_size_bytes", "Sizes of stored bodies.", "bytes", [
      { value: bodies },
    ]),
    ...(stats.remote === undefined ? [] : remoteFamilies(stats.remote)),
  ];
}
