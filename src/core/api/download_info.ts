/** A running download, as `inFlight()` reports it. */
export interface DownloadInfo {
  /** SHA-256 of the URL as 64 hexadecimal digits. */
  readonly key: string;
  /** The URL under which it will be stored. */
  readonly url: string;
  /** Media type; undefined until it is certain: a GIF may become a video. */
  readonly mimetype: string | undefined;
  /** File name, as the origin gives it at first; undefined until the downloader has answered. */
  readonly filename: string | undefined;
  /** Bytes received so far. */
  readonly received: number;
  /** Bytes in all, where known. */
  readonly total: number | undefined;
  /** When it was asked for, in milliseconds since the epoch. */
  readonly startedAt: number;
  /** The step at which the download is. */
  readonly phase: "waiting" | "downloading" | "converting" | "storing";
}
