import type { EventHub } from "./event_hub.ts";
import { errorFacts, failureReason } from "../text/failure_reason.ts";
import type { Counters } from "../api/stats.ts";

/** Is told that an operation has failed. */
export type ReportFault = (operation: string, error: unknown) => void;

/** Where failures of the file system end: counted and told, never a caller's problem. */
export class DiskErrors {
  readonly #hub: EventHub;
  readonly #counters: Counters;
  readonly #reported = new WeakSet<Error>();

  /** Counts in `counters` and tells `hub`. */
  constructor(hub: EventHub, counters: Counters) {
    this.#hub = hub;
    this.#counters = counters;
  }

  /** One operation has failed. An error that comes by again is the same failure. */
  report(operation: string, error: unknown): void {
    if (error instanceof Error) {
      if (this.#reported.has(error)) return;
      this.#reported.add(error);
    }
    this.#counters.diskErrors++;
    this.#hub.emit({ type: "diskError", operation, error });
  }

  /** Tells that the cache goes on without an operation, which is no failure. */
  refused(operation: string, error: unknown): void {
    const reason = failureReason(errorFacts(error));
    this.#hub.emit({ type: "degraded", operation, reason });
  }
}
