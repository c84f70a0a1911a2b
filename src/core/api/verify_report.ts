/** Something wrong that `verify()` found. */
export interface VerifyProblem {
  /** Names of the files, in the directory. */
  readonly names: readonly string[];
  /** Their bytes. */
  readonly bytes: number;
  /** What is wrong. */
  readonly reason: string;
  /**
   * Whether it was written within the last 10 minutes, or claims to be from the
   * future and was first seen within them, so that another process may be about
   * to complete it. Never so for a whole pair of a wrong digest.
   */
  readonly young: boolean;
}

/** What `verify()` found. */
export interface VerifyReport {
  /** Entries that are whole. */
  entries: number;
  /** Their bytes. */
  bytes: number;
  /** Those of them whose digest was there and was right. */
  digests: number;
  /** All that is wrong. */
  problems: VerifyProblem[];
  /** How many of these were removed. */
  fixed: number;
}
