/** The longest time that a timer can wait; a longer one would fire at once. */
const MAX_TIMER_MS = 2_147_483_647;

/**
 * Starts a timer that keeps the process alive until it fires.
 *
 * @returns A function that cancels the timer.
 */
export function startTimer(waitMs: number, callback: () => void): () => void {
  if (waitMs > MAX_TIMER_MS) return () => {};
  const timer = setTimeout(callback, Math.ceil(waitMs));
  return () => clearTimeout(timer);
}

/**
 * Starts a timer for housekeeping: the process may end before it fires.
 *
 * @returns A function that cancels the timer.
 */
export function startIdleTimer(
  waitMs: number,
  callback: () => void,
): () => void {
  const timer = setTimeout(callback, Math.ceil(waitMs));
  Deno.unrefTimer(timer);
  return () => clearTimeout(timer);
}

/**
 * Starts a timer for housekeeping that fires again and again.
 *
 * @returns A function that cancels the timer.
 */
export function startIdleInterval(
  everyMs: number,
  callback: () => void,
): () => void {
  const timer = setInterval(callback, Math.ceil(everyMs));
  Deno.unrefTimer(timer);
  return () => clearInterval(timer);
}

/** A wait that has begun. */
export interface Wait {
  /** Resolves at the end of the wait; never rejects. */
  readonly ended: Promise<void>;
  /** Ends the wait now. */
  stop(): void;
}

/** Starts a wait that ends after a time, or when the signal is aborted. */
export function startWait(waitMs: number, signal: AbortSignal): Wait {
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  const stop = () => {
    stopTimer();
    signal.removeEventListener("abort", stop);
    resolve();
  };
  const stopTimer = startTimer(waitMs, () => stop());
  if (signal.aborted) stop();
  else signal.addEventListener("abort", stop, { once: true });
  return { ended, stop };
}
