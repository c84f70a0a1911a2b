/** The time that a call may take to end, in milliseconds. */
const END_MS = 60_000;

/** Whether a promise settles in time. */
export async function endsInTime(what: Promise<unknown>): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), END_MS);
  try {
    return await Promise.race([what.then(() => true), promise]);
  } finally {
    // A running timer would keep the process alive.
    clearTimeout(timer);
  }
}
