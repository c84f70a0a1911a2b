import { errorFacts, failureReason } from "../core/text/failure_reason.ts";

/** The keys by which an object store knows who asks. */
export interface S3Credentials {
  /** The public half. */
  readonly accessKeyId: string;
  /** The secret half; it signs requests and is never sent. */
  readonly secretAccessKey: string;
  /** The token of temporary keys. */
  readonly sessionToken?: string | undefined;
}

/**
 * How long credentials of a function are used before it is called again, in milliseconds.
 * Services that hand out temporary keys renew them at least that long before the old ones
 * expire.
 */
const RENEW_AFTER_MS = 300_000;

/** Characters that a header can carry. */
const PRINTABLE_REGEXP = /^[\x21-\x7e]+$/;

/**
 * Credentials that are given, or that a function returns. The function is called for the
 * first request, every five minutes of use, and after a refusal that new keys may cure;
 * once for all requests that wait.
 */
export class CredentialSource {
  readonly #provide: (() => Promise<S3Credentials>) | undefined;
  #held: S3Credentials | undefined;
  #heldSince = 0;
  #asking: Promise<S3Credentials> | undefined;

  /**
   * Checks credentials that are given; calls no function yet.
   *
   * @throws {TypeError} If they have another form. The message shows no value.
   */
  constructor(credentials: S3Credentials | (() => Promise<S3Credentials>)) {
    if (typeof credentials === "function") this.#provide = credentials;
    else this.#held = checked(credentials);
  }

  /** Whether others may come in place of those that are held. */
  get canRenew(): boolean {
    return this.#provide !== undefined;
  }

  /** The credentials for a request; rejects as soon as the signal aborts. */
  async get(signal: AbortSignal): Promise<S3Credentials> {
    signal.throwIfAborted();
    const held = this.#held;
    if (held === undefined) return await orAborted(this.#ask(), signal);
    const isOld = this.canRenew &&
      performance.now() - this.#heldSince > RENEW_AFTER_MS;
    if (!isOld) return held;
    // The old keys may still serve where the function fails for a while.
    this.#heldSince = performance.now();
    return await orAborted(this.#ask().catch(() => held), signal);
  }

  /**
   * Whether a request that these credentials were refused for deserves another attempt,
   * with others.
   */
  async renew(refused: S3Credentials, signal: AbortSignal): Promise<boolean> {
    if (!this.canRenew) return false;
    if (this.#held !== refused && this.#held !== undefined) return true;
    const { accessKeyId, secretAccessKey, sessionToken } = await orAborted(
      this.#ask(),
      signal,
    );
    return accessKeyId !== refused.accessKeyId ||
      secretAccessKey !== refused.secretAccessKey ||
      sessionToken !== refused.sessionToken;
  }

  #ask(): Promise<S3Credentials> {
    return this.#asking ??= this.#provided().finally(() => {
      this.#asking = undefined;
    });
  }

  async #provided(): Promise<S3Credentials> {
    let credentials: S3Credentials | undefined;
    try {
      credentials = await this.#provide?.();
    } catch (error) {
      // No cause: the function's own error may hold a secret.
      throw new Error(
        `Cannot use object store: credentials() must resolve: it rejected (${
          failureReason(errorFacts(error))
        })`,
      );
    }
    this.#held = checked(credentials);
    this.#heldSince = performance.now();
    return this.#held;
  }
}

/** Copies credentials, so that a later change of the object does nothing. */
function checked(value: unknown): S3Credentials {
  if (typeof value !== "object" || value === null) {
    throw wrong("credentials", "an object, or a function", value);
  }
  const { accessKeyId, secretAccessKey, sessionToken }: Record<
    string,
    unknown
  > = { ...value };
  if (!isPrintable(accessKeyId)) throw wrongKey("accessKeyId", accessKeyId);
  if (!isPrintable(secretAccessKey)) {
    throw wrongKey("secretAccessKey", secretAccessKey);
  }
  if (sessionToken === undefined) return { accessKeyId, secretAccessKey };
  if (!isPrintable(sessionToken)) throw wrongKey("sessionToken", sessionToken);
  return { accessKeyId, secretAccessKey, sessionToken };
}

function isPrintable(value: unknown): value is string {
  return typeof value === "string" && PRINTABLE_REGEXP.test(value);
}

function wrongKey(name: string, value: unknown): TypeError {
  const wanted = "a string of ASCII without spaces";
  return wrong(`credentials.${name}`, wanted, value);
}

function wrong(name: string, wanted: string, value: unknown): TypeError {
  const found = value === ""
    ? "an empty string"
    : value === null
    ? "null"
    : typeof value === "string"
    ? "a string with other characters"
    : typeof value;
  return new TypeError(
    `Cannot use object store: ${name} must be ${wanted}: received ${found}`,
  );
}

/** Waits for a promise that knows of no signal. */
function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() =>
      signal.removeEventListener("abort", abort)
    );
  });
}
