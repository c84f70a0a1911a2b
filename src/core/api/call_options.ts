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

/** Options of `verify()`. */
export interface VerifyOptions {
  /**
   * Whether files with a problem are removed, unless the problem is `young`.
   *
   * @default {false}
   */
  fix?: boolean;
}
