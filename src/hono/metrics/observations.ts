import type { MediaCacheEvent } from "../../core/api/events.ts";
import { Histogram } from "./histogram.ts";

const DOWNLOAD_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
const FIRST_BYTE_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const HIT_SECONDS = [0.00001, 0.000025, 0.0001, 0.00025, 0.001, 0.01, 0.1, 1];
const BODY_BYTES = Array.from({ length: 10 }, (_, i) => 1024 * 4 ** i);

/**
 * Histograms of the durations and sizes in events, which the counters do not
 * have.
 */
export class Observations {
  /** Durations from the start of a download to its commit, in seconds. */
  readonly downloads: Histogram = new Histogram(DOWNLOAD_SECONDS);
  /** Durations until the downloader answered, in seconds. */
  readonly firstBytes: Histogram = new Histogram(FIRST_BYTE_SECONDS);
  /** Durations of hits by tier, in seconds. */
  readonly hits: Record<"memory" | "disk" | "remote", Histogram> = {
    memory: new Histogram(HIT_SECONDS),
    disk: new Histogram(HIT_SECONDS),
    remote: new Histogram(HIT_SECONDS),
  };
  /** Sizes of stored bodies, in bytes. */
  readonly bodies: Histogram = new Histogram(BODY_BYTES);

  /** Adds the values of an event. */
  observe(event: MediaCacheEvent): void {
    switch (event.type) {
      case "hit":
        return this.hits[event.source].observe(event.durationMs / 1000);
      case "remoteHit":
        return this.hits.remote.observe(event.durationMs / 1000);
      case "miss":
        // The downloader failed, so it did not answer.
        if (event.mimetype === undefined) return;
        return this.firstBytes.observe(event.durationMs / 1000);
      case "stored":
        this.bodies.observe(event.size);
        if (event.source !== "download") return;
        return this.downloads.observe(event.durationMs / 1000);
    }
  }
}
