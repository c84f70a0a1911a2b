/** Exit codes, as `--help` and the manual list them. */
export const EXIT: {
  readonly ok: 0;
  readonly failure: 1;
  readonly usage: 2;
  readonly brokenPipe: 141;
} = { ok: 0, failure: 1, usage: 2, brokenPipe: 141 };

/**
 * A request of the user can't be fulfilled. The message tells all that is
 * known.
 */
export class Failure extends Error {
  /** Creates the error. */
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "Failure";
  }
}

/** The command line is wrong. */
export class UsageError extends Error {
  /** Creates the error. */
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "UsageError";
  }
}

// A URL up to the next space, without punctuation at its end.
const URL_REGEXP = /\b[a-z][a-z0-9+.-]*:\/\/\S+?(?=[)\]>"',:;.]*(?:\s|$))/gi;

/**
 * Returns the message of an error, without the URLs that messages of `fetch`
 * hold.
 */
export function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(URL_REGEXP, "URL");
}
