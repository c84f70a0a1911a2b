/** The state of a file, by which a change is noticed. */
export interface FileState {
  /** The {@linkcode identityOf} of the file, by which it is told from a successor. */
  readonly identity: number;
  /** Length in bytes. */
  readonly size: number;
  /** Last modification in milliseconds since the epoch. */
  readonly mtimeMs: number;
}

/** Whether two states are the same. */
export function areSameState(a: FileState, b: FileState): boolean {
  return a.identity === b.identity && a.size === b.size &&
    a.mtimeMs === b.mtimeMs;
}

/** Odd constants with many bits set: multiplying spreads a change to higher bits. */
const MULTIPLIERS = [0x9e3779b1, 0x85ebca77] as const;

const numbers = new Float64Array(3);
const words = new Uint32Array(numbers.buffer);

/** The state of a file, hashed to a number of 53 bits, so that an index can hold many. */
export function stampOf({ identity, size, mtimeMs }: FileState): number {
  return mixed(identity, size, mtimeMs);
}

/**
 * A number of 53 bits that tells a file from a successor of the same name. Linux
 * uses a free inode again at once, so the number includes the time of birth, in
 * milliseconds since the epoch, where the file system keeps it.
 */
export function identityOf(inode: number, bornMs: number | undefined): number {
  return bornMs === undefined ? -inode : mixed(inode, bornMs, 0);
}

/** Whether an identity includes the time of birth. */
export function hasBirth(identity: number): boolean {
  return identity > 0;
}

/**
 * How long a new file may have the state of its predecessor, in milliseconds. Linux
 * advances the times of files once a tick, at least every 10 ms; a file system
 * without times of birth may keep the others in whole seconds.
 */
const ALIKE_MS = { born: 11, unborn: 2_000 };

/**
 * Whether a file was written so shortly before `now` (ms since the epoch) that a
 * successor may have the same state: the same inode, free again at once, the same
 * length and times. The state then proves nothing: read the file anew.
 */
export function isYoung(
  { identity, mtimeMs }: Pick<FileState, "identity" | "mtimeMs">,
  now: number,
): boolean {
  return now - mtimeMs < (hasBirth(identity) ? ALIKE_MS.born : ALIKE_MS.unborn);
}

function mixed(a: number, b: number, c: number): number {
  numbers[0] = a;
  numbers[1] = b;
  numbers[2] = c;
  let high = 1;
  let low = 2;
  for (const word of words) {
    high = Math.imul(high ^ word, MULTIPLIERS[0]);
    low = Math.imul(low ^ word ^ (high >>> 15), MULTIPLIERS[1]);
    high ^= low >>> 13;
  }
  return (high >>> 11) * 2 ** 32 + (low >>> 0);
}
