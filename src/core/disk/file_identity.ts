/** What tells one state of a file from another. */
export interface FileState {
  /** Tells the file from another that took its name; see {@linkcode identityOf}. */
  readonly inode: number;
  /** Length in bytes. */
  readonly size: number;
  /** Last modification in milliseconds since the epoch. */
  readonly mtimeMs: number;
}

/** Whether a file is in the state that is known of it. */
export function areSameState(a: FileState, b: FileState): boolean {
  return a.inode === b.inode && a.size === b.size && a.mtimeMs === b.mtimeMs;
}

/** Odd constants with bits all over: a multiplication spreads a change upwards. */
const MULTIPLIERS = [0x9e3779b1, 0x85ebca77] as const;

const numbers = new Float64Array(3);
const words = new Uint32Array(numbers.buffer);

/** The state of a file in one number of 53 bits, so that an index can hold many. */
export function stampOf({ inode, size, mtimeMs }: FileState): number {
  return mixed(inode, size, mtimeMs);
}

/**
 * Tells a file from another that took its name, in one number of 53 bits. Its inode
 * is used again at once when it is free, so its time of birth is part of it, where
 * the file system knows that.
 */
export function identityOf(inode: number, bornMs: number | undefined): number {
  return bornMs === undefined ? -inode : mixed(inode, bornMs, 0);
}

/** Whether the time of birth is part of an identity. */
export function hasBirth(identity: number): boolean {
  return identity > 0;
}

/**
 * How long a file that is replaced may look like the one before, in milliseconds:
 * Linux advances the time of a file once in a tick, which is 10 ms at the longest;
 * a file system that keeps no time of birth may keep the others in whole seconds.
 */
const ALIKE_MS = { born: 11, unborn: 2_000 };

/**
 * Whether a file was looked at so soon after it was written that one that takes
 * its name later may have all that tells them apart: its inode, which is free
 * again at once, its length and its times. What was learned of it must be learned
 * anew before it is relied on.
 */
export function isYoung(
  { inode, mtimeMs }: Pick<FileState, "inode" | "mtimeMs">,
  now: number,
): boolean {
  return now - mtimeMs < (hasBirth(inode) ? ALIKE_MS.born : ALIKE_MS.unborn);
}

function mixed(...values: readonly [number, number, number]): number {
  numbers.set(values);
  let high = 1;
  let low = 2;
  for (const word of words) {
    high = Math.imul(high ^ word, MULTIPLIERS[0]);
    low = Math.imul(low ^ word ^ (high >>> 15), MULTIPLIERS[1]);
    high ^= low >>> 13;
  }
  return (high >>> 11) * 2 ** 32 + (low >>> 0);
}
