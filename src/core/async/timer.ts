/** The longest time that a timer can wait; a longer one would fire at once. */
const MAX_TIMER_MS = 2_147_483_647;

/**
 * Calls back once, later. While somebody waits for that the process stays alive.
 *
 * @returns A function that cancels it.
 */
export function startTimer(waitMs: number, callback: () => void): () => void {
  if (waitMs > MAX_TIMER_MS) return () => {};
  const timer = setTimeout(callback, Math.ceil(waitMs));
  return () => clearTimeout(timer);
}

/** The same for housekeeping, which never keeps the process alive. */
export function startIdleTimer(
  waitMs: number,
  callback: () => void,
): () => void {
  const timer = setTimeout(callback, Math.ceil(waitMs));
  Deno.unrefTimer(timer);
  return () => clearTimeout(timer);
}
