/** The results of callers. */
export class Tally {
  /** The number of calls by method. */
  readonly calls: Record<string, number> = {};
  /** The number of errors by kind, for errors caused on purpose. */
  readonly errors: Record<string, number> = {};
  /** Results that are wrong. */
  readonly wrongs: string[] = [];
  /** Bodies read to their ends with every byte right. */
  wholeBodies = 0;
  /** Bytes checked. */
  checkedBytes = 0;

  /** Counts a call. */
  call(what: string): void {
    this.calls[what] = (this.calls[what] ?? 0) + 1;
  }

  /** Counts an error. */
  error(error: unknown): void {
    const kind = error instanceof Error ? error.name : typeof error;
    this.errors[kind] = (this.errors[kind] ?? 0) + 1;
  }

  /** Records a wrong result. */
  wrong(what: string): void {
    this.wrongs.push(what);
  }
}
