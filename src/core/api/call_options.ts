/** How far a download has come. */
export interface DownloadProgress {
  /** Bytes received so far. */
  readonly received: number;
  /** Bytes in all, where known. */
  readonly total: number | undefined;
}

/** Options of `getOrDownload()`: what one caller wants. */
export interface GetOrDownloadOptions {
  /** Ends this caller's wait and its Media, and nobody else's. */
  signal?: AbortSignal | undefined;
  /** Told of each chunk while the download runs. What it throws is ignored. */
  onProgress?: ((progress: DownloadProgress) => void) | undefined;
}

/** Options of `put()`. */
export interface PutOptions {
  /**
   * Whether the new bytes take the place of those that are stored.
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
   * Whether running downloads end at once.
   *
   * @default {false}
   */
  abort?: boolean;
  /**
   * How long they may go on otherwise, in milliseconds.
   *
   * @default {10000}
   */
  timeoutMs?: number;
}

/** Options of `getByKey()`. */
export interface GetByKeyOptions {
  /**
   * Whether the lookup leaves no trace: it is not counted, tells no event, and
   * the entry is no more recently used than before. Where the disk fails, or the
   * files are broken, nothing is found, and no entry is dropped for it.
   *
   * @default {false}
   */
  peek?: boolean;
}

/** Options of `verify()`. */
export interface VerifyOptions {
  /**
   * Whether what is wrong is removed. What is `young` stays.
   *
   * @default {false}
   */
  fix?: boolean;
}
