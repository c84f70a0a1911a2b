import type { EventHub } from "./event_hub.ts";
import type { Counters } from "./stats.ts";

/** Where failures of the file system end: counted and told, never a caller's problem. */
export class DiskErrors {
  readonly #hub: EventHub;
  readonly #counters: Counters;

  /** Counts in `counters` and tells `hub`. */
  constructor(hub: EventHub, counters: Counters) {
    this.#hub = hub;
    this.#counters = counters;
  }

  /** One operation has failed. */
  report(operation: string, error: unknown): void {
    this.#counters.diskErrors++;
    this.#hub.emit({ type: "diskError", time: Date.now(), operation, error });
  }
}
