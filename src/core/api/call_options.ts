import { checkRetries } from "./failure_options.ts";
import { OptionCheck } from "./option_check.ts";

const JOIN = new OptionCheck("get or download");
const PUT = new OptionCheck("put");
const PEEK = new OptionCheck("get by key");
const VERIFY = new OptionCheck("verify");
const CLOSE = new OptionCheck("close");
const LEND = new OptionCheck("lend media");

/** Progress of a download. */
export interface DownloadProgress {
  /** Bytes received so far. */
  readonly received: number;
  /** Bytes in all, where known. */
  readonly total: number | undefined;
}

/** Options of `getOrDownload()`, which concern this caller alone. */
export interface GetOrDownloadOptions {
  /**
   * Aborts this caller's wait and its Media. Other callers are not affected.
   */
  signal?: AbortSignal | undefined;
  /**
   * Called for each chunk while the download runs. Errors that it throws are
   * ignored.
   */
  onProgress?: ((progress: DownloadProgress) => void) | undefined;
  /**
   * The types that this caller accepts, such as `["image/*"]`, in place of those of the
   * cache's options. For any other type the call rejects with `UnacceptableTypeError`. Other
   * callers that share the download are not affected; where none accepts its type, it is
   * aborted and not stored.
   */
  accept?: readonly string[] | undefined;
  /**
   * The age from which the origin is asked whether stored bytes are still the same, in
   * milliseconds, in place of that of the cache's options; 0 asks in any case, and `Infinity`
   * never.
   */
  maxAgeMs?: number | undefined;
  /**
   * For how long after `maxAgeMs` the stored bytes are returned at once, in milliseconds,
   * in place of that of the cache's options.
   */
  staleWhileRevalidateMs?: number | undefined;
  /**
   * How often the download is tried again after a failure that may pass, in place of that of
   * the cache's options. Callers that share a download share its retries: the most that one
   * of them wants.
   */
  retries?: number | undefined;
}

/** Options of `put()`. */
export interface PutOptions {
  /**
   * Whether the new bytes replace stored bytes.
   *
   * @default {false}
   */
  replace?: boolean;
}

/** The kinds of data that `put()` takes. */
export type PutData = Uint8Array | Blob | ReadableStream<Uint8Array>;

/** Options of `close()`. */
export interface CloseOptions {
  /**
   * Whether running downloads are aborted at once.
   *
   * @default {false}
   */
  abort?: boolean;
  /**
   * How long running downloads may go on before they are aborted, in
   * milliseconds.
   *
   * @default {10000}
   */
  timeoutMs?: number;
}

/** Options of `getByKey()`. */
export interface GetByKeyOptions {
  /**
   * Whether the lookup leaves no trace: nothing is counted, no event is sent,
   * and the entry's recency stays. Where the disk fails or the files are
   * broken, the lookup returns `undefined`, and drops no entry.
   *
   * @default {false}
   */
  peek?: boolean;
}

/** Options of `media.file()`. */
export interface LentFileOptions {
  /**
   * Whether the file is a copy, which may be changed. A link shares its bytes with the
   * entry.
   *
   * @default {false}
   */
  copy?: boolean;
}

/** Options of `verify()`. */
export interface VerifyOptions {
  /**
   * Whether files with a problem are removed, unless the problem is `young`.
   *
   * @default {false}
   */
  fix?: boolean;
}

/**
 * Checks the options of one caller.
 *
 * @returns The options, with `accept` in lower case.
 * @throws {TypeError} If an option is unknown, `signal` is no AbortSignal, `onProgress` no
 * function, `accept` no array of strings, or a number is none.
 * @throws {RangeError} If `accept` is empty, or has a member that is no type, a time is
 * negative or NaN, or `retries` is no integer of at least 0.
 */
export function checkCallerOptions(
  options: GetOrDownloadOptions,
): GetOrDownloadOptions {
  JOIN.object("options", options);
  const {
    signal,
    onProgress,
    accept,
    maxAgeMs,
    staleWhileRevalidateMs,
    retries,
    ...others
  } = options;
  JOIN.nothingLeft(others);
  // AbortSignals of a polyfill are objects of another class.
  if (
    signal !== undefined && typeof signal?.throwIfAborted !== "function"
  ) {
    const wanted = "an AbortSignal or undefined";
    throw JOIN.error(TypeError, "signal", wanted, String(signal));
  }
  if (onProgress !== undefined) {
    JOIN.value("onProgress", onProgress, "function");
  }
  JOIN.age("maxAgeMs", maxAgeMs);
  JOIN.age("staleWhileRevalidateMs", staleWhileRevalidateMs);
  if (retries !== undefined) checkRetries(JOIN, retries);
  if (accept === undefined) return options;
  return { ...options, accept: JOIN.mediaRanges("accept", accept) };
}

/**
 * Throws unless these are options of `put()`.
 *
 * @throws {TypeError} If an option is unknown, or has another type.
 */
export function assertPutOptions(options: PutOptions): void {
  assertFlag(PUT, "replace", options);
}

/**
 * Throws unless these are options of `getByKey()`.
 *
 * @throws {TypeError} If an option is unknown, or has another type.
 */
export function assertGetByKeyOptions(options: GetByKeyOptions): void {
  assertFlag(PEEK, "peek", options);
}

/**
 * Throws unless these are options of `verify()`.
 *
 * @throws {TypeError} If an option is unknown, or has another type.
 */
export function assertVerifyOptions(options: VerifyOptions): void {
  assertFlag(VERIFY, "fix", options);
}

/**
 * Throws unless these are options of `media.file()`.
 *
 * @throws {TypeError} If an option is unknown, or has another type.
 */
export function assertLentFileOptions(options: LentFileOptions): void {
  assertFlag(LEND, "copy", options);
}

/**
 * Throws unless these are options of `close()`.
 *
 * @throws {TypeError} If an option is unknown, or has another type.
 * @throws {RangeError} If `timeoutMs` is negative or NaN.
 */
export function assertCloseOptions(options: CloseOptions): void {
  CLOSE.object("options", options);
  const { abort, timeoutMs, ...others } = options;
  CLOSE.nothingLeft(others);
  CLOSE.value("abort", abort, "boolean");
  CLOSE.age("timeoutMs", timeoutMs);
}

/** Throws unless the options have at most one member, a boolean of that name. */
function assertFlag<Name extends string>(
  check: OptionCheck,
  name: Name,
  options: { readonly [name in Name]?: boolean },
): void {
  check.object("options", options);
  const { [name]: value, ...others } = options;
  check.nothingLeft(others);
  check.value(name, value, "boolean");
}
