import { errorFacts } from "../text/failure_reason.ts";

/** Codes of operations that a file system never does, or never for this user. */
const REFUSALS: ReadonlySet<string> = new Set([
  "EACCES",
  "EINVAL",
  "EMLINK",
  "ENOLCK",
  "ENOSYS",
  "ENOTSUP",
  "EOPNOTSUPP",
  "EPERM",
  "EXDEV",
]);

/** Codes of faults of a disk, machine or server that may be over by the next call. */
const TRANSIENTS: ReadonlySet<string> = new Set([
  "EAGAIN",
  "EBUSY",
  "EDQUOT",
  "EHOSTDOWN",
  "EHOSTUNREACH",
  "EINTR",
  "EIO",
  "EMFILE",
  "ENETUNREACH",
  "ENFILE",
  "ENOMEM",
  "ENOSPC",
  "ENOTCONN",
  "EREMOTEIO",
  "ESTALE",
  "ETIMEDOUT",
]);

/** Whether the file system refuses an operation for good. */
export function isRefusal(error: unknown): error is Error {
  return error instanceof Deno.errors.PermissionDenied ||
    REFUSALS.has(errorFacts(error).code ?? "");
}

/** Whether a fault may be over by the next call: a full disk may have room by then. */
export function isTransient(error: unknown): boolean {
  return TRANSIENTS.has(errorFacts(error).code ?? "");
}

/** Whether an error means that a name is taken. */
export function isTaken(error: unknown): boolean {
  return error instanceof Deno.errors.AlreadyExists;
}

/** Whether an error means that the user lacks a right. */
export function isDenied(error: unknown): error is Error {
  return error instanceof Deno.errors.PermissionDenied;
}

/** Whether an error means that there is no file of that name, or no more. */
export function isNotFound(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound;
}

/** Whether an error means that Deno lacks a permission. */
export function isNotPermitted(error: unknown): boolean {
  return error instanceof Deno.errors.NotCapable;
}
