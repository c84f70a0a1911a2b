import type { Downloader } from "../api/download.ts";
import { refusedStatusOf } from "../text/refused_status.ts";

/** A caller's own URL of the media, and the downloader for it. */
export interface CallerLink {
  /** The URL as the caller gave it. */
  readonly url: string;
  /** The caller's downloader. */
  readonly downloader: Downloader;
}

/**
 * The links of the callers that share a download and have named the media by different
 * URLs: if the origin refuses a link, the next caller's link is tried, each URL once.
 */
export class CallerLinks {
  /** The links that have not been tried, in the order in which their callers came. */
  readonly #waiting = new Set<CallerLink>();
  /** The errors of the URLs that have failed. */
  readonly #errors = new Map<string, unknown>();

  /** Adds the link of a caller that begins to wait. */
  add(link: CallerLink): void {
    this.#waiting.add(link);
  }

  /** Removes the link of a caller that waits no more. */
  remove(link: CallerLink): void {
    this.#waiting.delete(link);
  }

  /** Notes the error of a link, and picks the link to be tried next, if there is one. */
  next(failed: CallerLink, error: unknown): CallerLink | undefined {
    this.#errors.set(failed.url, error);
    if (refusedStatusOf(error) === undefined) return undefined;
    for (const link of this.#waiting) {
      this.#waiting.delete(link);
      if (!this.#errors.has(link.url)) return link;
    }
    return undefined;
  }

  /** The error for the caller of a URL: that of its own link, or else that of the download. */
  errorOf(url: string, error: unknown): unknown {
    return this.#errors.has(url) ? this.#errors.get(url) : error;
  }
}
