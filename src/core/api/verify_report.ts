/** A problem that `verify()` found. */
export interface VerifyProblem {
  /** Names of the files, in the directory. */
  readonly names: readonly string[];
  /** Bytes of these files. */
  readonly bytes: number;
  /** The fault of the files. */
  readonly reason: string;
  /**
   * Whether another process may be about to complete the files: they were
   * written within the last 10 minutes, a .part file within the last 5 seconds,
   * or they have a time in the future and were first seen so recently. Where the
   * file system has no locks, it is 10 minutes for .part files, too. Never true
   * for a whole pair with a wrong digest, or for a note.
   */
  readonly young: boolean;
}

/** The result of `verify()`. */
export interface VerifyReport {
  /** The number of whole entries. */
  entries: number;
  /** Bytes of the whole entries. */
  bytes: number;
  /** The number of whole entries whose digest was compared and was right. */
  digests: number;
  /** All problems. */
  problems: VerifyProblem[];
  /** The number of problems that were removed. */
  fixed: number;
}
