/**
 * Calls a function given by a user, and ignores the error that it throws, or
 * rejects with where it is asynchronous.
 */
export function callSafely(call: () => unknown): void {
  try {
    const result = call();
    if (result instanceof Promise) result.catch(() => {});
  } catch {
    // The error is the user's own, and has no other place to go.
  }
}
