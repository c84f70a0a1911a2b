import { errorFacts } from "../text/failure_reason.ts";

/** Codes of what a file system does not do, or not for this user, at any time. */
const REFUSALS: ReadonlySet<string> = new Set([
  "EACCES",
  "EINVAL",
  "ENOLCK",
  "ENOSYS",
  "ENOTSUP",
  "EOPNOTSUPP",
  "EPERM",
]);

/**
 * Codes of a disk, of a mount or of a machine that may have recovered by the next
 * call. The last four are what a network mount says whose server is away.
 */
const TRANSIENTS: ReadonlySet<string> = new Set([
  "EDQUOT",
  "EINTR",
  "EIO",
  "EMFILE",
  "ENFILE",
  "ENOMEM",
  "ENOSPC",
  "EAGAIN",
  "EBUSY",
  "ESTALE",
  "ETIMEDOUT",
]);

/** Whether the file system refuses an operation for good. */
export function isRefusal(error: unknown): error is Error {
  return error instanceof Deno.errors.PermissionDenied ||
    REFUSALS.has(errorFacts(error).code ?? "");
}

/** Whether a fault says nothing of the next call: a full disk may have room by then. */
export function isTransient(error: unknown): boolean {
  return TRANSIENTS.has(errorFacts(error).code ?? "");
}
