/**
 * Calls a function of the user's whose fault is not ours: neither what it throws
 * nor what it rejects with, should it be asynchronous, harms anybody.
 */
export function callSafely(call: () => unknown): void {
  try {
    const result = call();
    if (result instanceof Promise) result.catch(() => {});
  } catch {
    // Nobody is there to be told.
  }
}
