import type { RemoteStats } from "../api/remote_tier.ts";

/** The members of {@linkcode RemoteStats} that only grow. */
export class RemoteCounters
  implements Omit<RemoteStats, "name" | "state" | "lease" | "uploadsQueued"> {
  hits = 0;
  misses = 0;
  errors = 0;
  timeouts = 0;
  skipped = 0;
  corrupt = 0;
  continued = 0;
  bytesReceived = 0;
  uploads = 0;
  uploadsSkipped = 0;
  bytesSent = 0;
  leasesHeld = 0;
  leasesAwaited = 0;
  changesApplied = 0;
}
