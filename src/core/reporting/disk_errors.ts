import type { EventHub } from "./event_hub.ts";
import { errorFacts, failureReason } from "../text/failure_reason.ts";
import type { Counters } from "../api/stats.ts";

/** Called for an operation of the file system that has failed. */
export type ReportFault = (operation: string, error: unknown) => void;

/**
 * Counts the failures of the file system and sends their events. They are never
 * a caller's problem.
 */
export class DiskErrors {
  readonly #hub: EventHub;
  readonly #counters: Counters;
  readonly #reported = new WeakSet<Error>();

  /** Counts in `counters` and sends events by `hub`. */
  constructor(hub: EventHub, counters: Counters) {
    this.#hub = hub;
    this.#counters = counters;
  }

  /** Counts a failed operation. The same error object is counted once. */
  report(operation: string, error: unknown): void {
    if (error instanceof Error) {
      if (this.#reported.has(error)) return;
      this.#reported.add(error);
    }
    this.#counters.diskErrors++;
    this.#hub.emit({ type: "diskError", operation, error });
  }

  /**
   * Sends the event of an operation that the cache goes on without, which is no
   * failure.
   */
  refused(operation: string, error: unknown): void {
    const reason = failureReason(errorFacts(error));
    this.#hub.emit({ type: "degraded", operation, reason });
  }
}
