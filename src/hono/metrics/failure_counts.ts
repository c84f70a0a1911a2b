import {
  type ErrorFacts,
  failureReason,
} from "../../core/text/failure_reason.ts";

/** The number of downloads that failed for one reason. */
export interface FailureCount {
  /** A status (`HTTP 404`, `HTTP 4xx`), a code (`ECONNREFUSED`), a name, or `other`. */
  readonly reason: string;
  /** Number of failures. */
  readonly count: number;
}

/**
 * Statuses counted by themselves. Others are counted by class, such as
 * `HTTP 4xx`.
 */
const STATUSES = new Set([401, 403, 404, 410, 429, 500, 502, 503, 504]);

/** Reasons listed even with 0 failures, so that their first growth shows. */
const EXPECTED = [
  ...[...STATUSES, "2xx", "3xx", "4xx", "5xx"].map((status) =>
    `HTTP ${status}`
  ),
  "ENOTFOUND",
  "ECONNREFUSED",
  "ECONNRESET",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EPROTO",
  "ERR_TLS_CERT_INVALID",
  "DownloadTimeoutError",
  "IncompleteBodyError",
  "TooLargeError",
  "TimeoutError",
  "TypeError",
  "Error",
];

/** The reason of failures that are not counted by themselves. */
const OTHER = "other";

/**
 * The most further reasons counted by name: a downloader may make up any name.
 */
const MAX_FURTHER = 20;

/** Counts failures by reason. The number of reasons is bounded. */
export class FailureCounts {
  readonly #counts = new Map<string, number>(
    EXPECTED.map((reason) => [reason, 0]),
  );

  /** Counts a failure. */
  add(facts: ErrorFacts): void {
    const reason = labelOf(facts);
    const count = this.#counts.get(reason);
    const isFull = this.#counts.size >= EXPECTED.length + MAX_FURTHER;
    if (reason === OTHER || count === undefined && isFull) return;
    this.#counts.set(reason, (count ?? 0) + 1);
  }

  /**
   * Lists all reasons, expected reasons even with 0 failures.
   *
   * @param total The number of all failures. Failures without a counted reason,
   * such as those before the counting began, are listed as `other`.
   */
  list(total: number): FailureCount[] {
    const counts = [...this.#counts].map(([reason, count]) => (
      { reason, count }
    ));
    const named = counts.reduce((sum, { count }) => sum + count, 0);
    return [...counts, { reason: OTHER, count: total - named }];
  }
}

function labelOf(facts: ErrorFacts): string {
  const { status } = facts;
  if (status === undefined || STATUSES.has(status)) return failureReason(facts);
  return `HTTP ${Math.floor(status / 100)}xx`;
}
