import type { DownloadInfo } from "../api/download.ts";
import type { DownloadParts } from "./download_parts.ts";
import type { CallerLink } from "./caller_links.ts";
import { SharedDownload } from "./shared_download.ts";

/** The running downloads of a cache; of each URL at most one can be joined. */
export class Downloads {
  readonly #parts: DownloadParts;
  readonly #all = new Set<SharedDownload>();
  readonly #joinable = new Map<string, SharedDownload>();

  constructor(parts: DownloadParts) {
    this.#parts = parts;
  }

  /** The download of a URL that callers can join. */
  find(url: string): SharedDownload | undefined {
    return this.#joinable.get(url);
  }

  /** The download of a key that callers can join. */
  findByKey(key: string): SharedDownload | undefined {
    return this.#joinable.values().find((each) => each.key === key);
  }

  /** The facts of all running downloads, the oldest first. */
  list(): DownloadInfo[] {
    return [...this.#all].filter((each) => each.isRunning)
      .map((each) => each.info);
  }

  /** The number of running downloads. */
  get count(): number {
    return this.#all.values().filter((each) => each.isRunning)
      .reduce((count) => count + 1, 0);
  }

  /**
   * Starts a download.
   *
   * @param url The canonical URL.
   * @param link The link of the caller that starts the download.
   * @throws The error by which the link has failed, as long as that is remembered.
   */
  start(url: string, link: CallerLink): SharedDownload {
    const failed = this.#parts.failures?.find(link.url);
    if (failed !== undefined) {
      this.#parts.counters.failuresRemembered++;
      throw failed.error;
    }
    const onUnjoinable = () => {
      if (this.#joinable.get(url) === download) this.#joinable.delete(url);
    };
    const download: SharedDownload = new SharedDownload(
      this.#parts,
      url,
      link,
      onUnjoinable,
    );
    this.#joinable.set(url, download);
    this.#all.add(download);
    download.stored.finally(() => this.#all.delete(download));
    return download;
  }

  /**
   * Detaches the download of a key, as {@linkcode Downloads.detachAll} does, and forgets its
   * failures.
   */
  detach(key: string): void {
    this.findByKey(key)?.detach();
    this.#parts.failures?.forget(key);
  }

  /** Detaches all downloads: they go on for their readers, and store nothing. */
  detachAll(): void {
    this.#parts.failures?.clear();
    for (const download of this.#all) download.detach();
  }

  /** Ends all downloads with an error. */
  abort(reason: unknown): void {
    for (const download of this.#all) download.abort(reason);
  }

  /** Waits for the downloads that run now. */
  async settled(): Promise<void> {
    await Promise.all([...this.#all].map((download) => download.stored));
  }
}
