import {
  type ErrorFacts,
  failureReason,
} from "../../core/text/failure_reason.ts";

/** How many downloads failed for one reason. */
export interface FailureCount {
  /** A status (`HTTP 404`, `HTTP 4xx`), a code (`ECONNREFUSED`), a name, or `other`. */
  readonly reason: string;
  /** How many. */
  readonly count: number;
}

/** Statuses of their own; others are told by their class. */
const STATUSES = new Set([401, 403, 404, 410, 429, 500, 502, 503, 504]);

/** Reasons that are told before they happen, so that their growth shows at once. */
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

/** The reason of all that have none of their own. */
const OTHER = "other";

/** The most further reasons that are told by their names: a downloader may make up any. */
const MAX_FURTHER = 20;

/** Counts failures by reason, of which there is a bounded number. */
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
   * Lists all reasons, with 0 for those that have not happened.
   *
   * @param total All failures. What the reasons lack of it is `other`: failures
   * before the counting began are in it, too.
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
