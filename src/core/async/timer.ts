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
