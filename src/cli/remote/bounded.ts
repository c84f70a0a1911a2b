/**
 * Runs a call with a signal that aborts with another one, or after a time in milliseconds.
 *
 * @throws What the call throws; an `Error` if the time is over.
 */
export async function bounded<T>(
  given: AbortSignal,
  maxMs: number,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const over = new AbortController();
  const timer = setTimeout(() => {
    over.abort(new Error(`no answer within ${maxMs / 1000} s`));
  }, maxMs);
  try {
    return await call(AbortSignal.any([given, over.signal]));
  } finally {
    clearTimeout(timer);
  }
}
