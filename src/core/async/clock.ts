/**
 * How far a time on disk may lie in the future, in milliseconds: the clocks of
 * machines that share a disk differ a little. A later time is a wrong clock's.
 */
export const MAX_SKEW_MS = 300_000;
