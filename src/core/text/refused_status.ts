import { errorFacts } from "./failure_reason.ts";

/**
 * The statuses by which an origin refuses a link, though another link to the same media
 * may serve: 401, 403, 404 and 410 (RFC 9110 §15.5). An expired signature is answered
 * with 403 or 404, depending on the platform.
 */
const REFUSED: ReadonlySet<number> = new Set([401, 403, 404, 410]);

/** Whether an origin that answers with this status refuses the link. */
export function isRefusedStatus(status: number): boolean {
  return REFUSED.has(status);
}

/** The status of a download that failed because the origin refuses the link, else undefined. */
export function refusedStatusOf(error: unknown): number | undefined {
  const { status } = errorFacts(error);
  return status !== undefined && isRefusedStatus(status) ? status : undefined;
}
