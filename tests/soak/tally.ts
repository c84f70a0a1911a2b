/** What callers saw. */
export class Tally {
  /** Calls by what was called. */
  readonly calls: Record<string, number> = {};
  /** Errors by their kind, those that were caused on purpose. */
  readonly errors: Record<string, number> = {};
  /** What must not happen. */
  readonly wrongs: string[] = [];
  /** Bodies read to their ends, each byte of which was right. */
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

  /** Notes what must not happen. */
  wrong(what: string): void {
    this.wrongs.push(what);
  }
}
