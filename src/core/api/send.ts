import type { Media } from "./media.ts";

/** The outcome of an upload. */
export interface Uploaded<T> {
  /** The result, which `sendOnce()` returns. */
  readonly result: T;
  /** The handle by which the platform knows the media from now on, if it gave one. */
  readonly handle?: string | undefined;
}

/** The two ways to send a media with `sendOnce()`. */
export interface SendSteps<T> {
  /**
   * Sends the media by the handle of an earlier upload.
   *
   * @returns The result; undefined if the platform does not know the handle any more,
   * which is then forgotten, and `first` is called. If it rejects, as with 429 or without
   * a network, the handle stays, and the caller of `sendOnce()` gets the error.
   */
  readonly again: (handle: string) => Promise<T | undefined>;
  /** Uploads the media, which is disposed of when the returned promise has settled. */
  readonly first: (media: Media) => Promise<Uploaded<T>>;
}
