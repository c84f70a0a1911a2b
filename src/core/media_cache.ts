import { verify } from "./entries/verify.ts";
import {
  assertCloseOptions,
  assertGetByKeyOptions,
  assertPutOptions,
  assertVerifyOptions,
  checkCallerOptions,
  type CloseOptions,
  type GetByKeyOptions,
  type GetOrDownloadOptions,
  type PutData,
  type PutOptions,
  type VerifyOptions,
} from "./api/call_options.ts";
import { canonicalBy } from "./api/canonical_url.ts";
import { WindowBudget } from "./bodies/chunk_window.ts";
import type { Downloader, DownloadInfo } from "./api/download.ts";
import { DownloadSlots } from "./download/download_slots.ts";
import { Downloads } from "./download/downloads.ts";
import { RememberedFailures } from "./download/remembered_failures.ts";
import { dropChanged } from "./download/drop_changed.ts";
import type { SharedDownload } from "./download/shared_download.ts";
import type { EntryInfo } from "./api/entry_info.ts";
import { infoOf } from "./catalog/entry.ts";
import { CacheClosedError } from "./api/errors.ts";
import { EventHub } from "./reporting/event_hub.ts";
import { Hits } from "./entries/hits.ts";
import { Revalidations } from "./freshness/revalidations.ts";
import type { MediaCacheListener } from "./api/events.ts";
import { GifConversion } from "./gif/gif_conversion.ts";
import { KEY_REGEXP, keyOf } from "./text/key.ts";
import type { Media } from "./api/media.ts";
import {
  type MediaCacheOptions,
  type ResolvedOptions,
  resolveOptions,
} from "./api/options.ts";
import { Putter } from "./entries/put.ts";
import type { SendSteps } from "./api/send.ts";
import {
  type CacheLimits,
  type CacheStats,
  Counters,
  limitsOf,
  snapshot,
} from "./api/stats.ts";
import { type CacheParts, closeParts, gaugesOf, makeParts } from "./wiring.ts";
import { Deadline } from "./async/deadline.ts";
import type { VerifyReport } from "./api/verify_report.ts";
import { wrongType } from "./api/wrong_type.ts";

/** The options of a call that has none, which need no check. */
const NO_OPTIONS = {};

/** How long `close()` waits for running downloads by default, in milliseconds. */
const CLOSE_TIMEOUT_MS = 10_000;

/**
 * A streaming, disk-backed LRU cache: the same URL is never fetched twice.
 *
 * **One download.** Callers of the same URL share one download, whenever they come.
 * Each gets all bytes from the first, at a pace of its own. A failed download
 * fails for all waiting callers, and the next call tries again. If callers have named
 * the media by different URLs (`canonicalUrl`), and the origin refuses one of them with
 * 401, 403, 404 or 410, the URL and downloader of the next caller are tried first.
 *
 * **Stream first.** A download goes to the disk file and to its callers at the
 * same time. Memory does not grow with the size of a body or with the number of
 * its readers.
 *
 * **Whole or not at all.** An entry becomes visible when all its bytes are on
 * disk. A reader of a broken download sees an error, never a clean end.
 *
 * **The cache can't break the fetch.** When the disk fails or is full, a
 * download goes on uncached. A lookup that the disk fails is a miss.
 *
 * **Bounds.** Committed entries never take more than `maxSizeMb`; the least
 * recently used leave first, also after a restart, and only to make room for
 * a new entry. A returned Media stays readable when its entry is removed.
 *
 * **The directory is shared** by the caches that are opened on it, in one process
 * or several, and by the Python original. Files of foreign names in it are never
 * touched.
 *
 * URLs are compared as given. URLs of Telegram hold the bot's token: no message
 * of an error and no line of {@linkcode formatEvent} holds a URL, but sidecars
 * on disk do.
 *
 * @example Fetch once
 * ```ts
 * import { MediaCache } from "@media-cache/media-cache";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, () => new Response("meow"));
 * const url = `http://127.0.0.1:${server.addr.port}/cat.txt`;
 * await using cache = await MediaCache.open({ cacheDir: await Deno.makeTempDir() });
 *
 * for (let i = 0; i < 3; i++) {
 *   const media = await cache.getOrDownload(url, ({ url, signal, headers }) => fetch(url, { signal, headers }));
 *   assertEquals(await new Response(media.body).text(), "meow");
 * }
 * assertEquals(cache.stats().misses, 1);
 * ```
 */
export class MediaCache implements AsyncDisposable {
  readonly #options: ResolvedOptions;
  readonly #hub: EventHub;
  readonly #counters = new Counters();
  readonly #parts: CacheParts;
  readonly #putter: Putter;
  readonly #downloads: Downloads;
  readonly #revalidations: Revalidations;
  readonly #hits: Hits;
  #closing: Promise<void> | undefined;

  /**
   * Makes a cache. The constructor reads nothing and blocks on nothing: lookups find
   * entries on disk, and the first store reads which entries there are.
   * {@linkcode MediaCache.open} reads that at once.
   *
   * @param options The directory, and all limits.
   * @throws {TypeError} If an option is of the wrong type.
   * @throws {RangeError} If an option is out of range.
   */
  constructor(options: MediaCacheOptions = {}) {
    const resolved = resolveOptions(options);
    this.#options = resolved;
    this.#hub = new EventHub(resolved.onEvent);
    const parts: CacheParts = this.#parts = makeParts(
      resolved,
      this.#hub,
      this.#counters,
      (key, at) => {
        const check = this.#revalidations.find(key);
        const running = [this.#downloads.findByKey(key), check];
        return dropChanged(key, at, running, parts);
      },
    );
    const shared = {
      ...parts,
      options: resolved,
      hub: this.#hub,
      counters: this.#counters,
    };
    this.#putter = new Putter(shared);
    const downloading = {
      ...shared,
      slots: new DownloadSlots(resolved.maxConcurrentDownloads),
      failures: RememberedFailures.by(resolved.failureTtlMs),
      windows: new WindowBudget(resolved.maxMemoryBytes),
      gifs: resolved.gifToMp4 && new GifConversion(resolved.gifToMp4, shared),
    };
    this.#downloads = new Downloads(downloading);
    const revalidations = new Revalidations(downloading);
    this.#revalidations = revalidations;
    this.#hits = new Hits(
      {
        ...downloading,
        isStale: (entry) => revalidations.isStale(entry),
      },
      () => this.#assertOpen(),
    );
  }

  /**
   * Makes a cache and reads which entries its directory holds.
   *
   * @param options The directory, and all limits.
   * @returns The cache.
   * @throws {TypeError} If an option is of the wrong type.
   * @throws {RangeError} If an option is out of range.
   * @throws {MediaCacheError} If the directory can't be used or written, or a
   * permission is missing; the message names the path and the flag. Or if this Deno
   * is older than 2.7.
   *
   * @example Open a cache for a script
   * ```ts
   * import { MediaCache } from "@media-cache/media-cache";
   * import { assertEquals } from "@std/assert";
   *
   * await using cache = await MediaCache.open({
   *   cacheDir: await Deno.makeTempDir(),
   *   maxSizeMb: 100,
   * });
   *
   * assertEquals(cache.stats().maxMb, 100);
   * ```
   */
  static async open(options: MediaCacheOptions = {}): Promise<MediaCache> {
    const cache = new MediaCache(options);
    try {
      await cache.ensureLoaded();
    } catch (error) {
      // The caller gets no cache to close.
      await cache.close();
      throw error;
    }
    return cache;
  }

  /**
   * Makes the directory, if need be, checks that files can be made in it, and
   * reads which entries it holds, without reading a body and without holding the event
   * loop. Idempotent; concurrent calls share one scan. Nothing is evicted. Where a
   * large directory has its index on disk, the entries are counted by that, and
   * compared with the directory in the background.
   *
   * A fault that may pass (no room, no more open files, an I/O error) is reported
   * as a disk error, and the call resolves: downloads go on uncached until the fault
   * is over. A bot that must also run without a writable directory catches the
   * rejection, and uses the cache all the same.
   *
   * @throws {MediaCacheError} If the directory can't be used: it can't be made or
   * written (which a `readOnly` cache need not), or a permission is missing; the
   * message names the path and the flag. Nothing prompts. Or if this Deno is older
   * than 2.7, which the message names.
   * @throws {CacheClosedError} If the cache is closed.
   */
  async ensureLoaded(): Promise<void> {
    this.#assertOpen();
    await this.#parts.loader.ensureLoaded();
  }

  /**
   * Looks up a committed entry. A hit becomes the most recently used and counts
   * as a hit; a miss counts as nothing.
   *
   * @param url The URL, compared as given.
   * @returns The media, or undefined when it is not stored.
   * @throws {CacheClosedError} If the cache is closed.
   *
   * @example Look up without downloading
   * ```ts
   * import { MediaCache } from "@media-cache/media-cache";
   * import { assertEquals } from "@std/assert";
   *
   * await using cache = await MediaCache.open({ cacheDir: await Deno.makeTempDir() });
   *
   * assertEquals(await cache.get("https://example.org/cat.png"), undefined);
   * ```
   */
  async get(url: string | URL): Promise<Media | undefined> {
    const found = this.#hits.get(this.#canonical(url));
    // An `await` takes a quarter as long as all else in a hit in RAM (measured).
    return found instanceof Promise ? await found : found;
  }

  /**
   * Looks up a committed entry by the SHA-256 of its URL, for servers. Otherwise as
   * {@linkcode MediaCache.get}.
   *
   * @param key 64 lower-case hexadecimal digits; with others nothing is found.
   * @param options Whether recency and counts stay.
   * @returns The media, or undefined when it is not stored.
   * @throws {TypeError} If `key` is not a string, or an option is unknown or of another type.
   * @throws {CacheClosedError} If the cache is closed.
   */
  async getByKey(
    key: string,
    options: GetByKeyOptions = NO_OPTIONS,
  ): Promise<Media | undefined> {
    if (options !== NO_OPTIONS) assertGetByKeyOptions(options);
    if (!this.#isKey(key)) return undefined;
    if (!options.peek) {
      const url = await this.#parts.peek.urlOf(key);
      this.#assertOpen();
      return url === undefined ? undefined : await this.#hits.get(url);
    }
    return await this.#hits.peek(key);
  }

  /**
   * Finds the facts of a committed entry by the SHA-256 of its URL. Opens no body,
   * changes no recency and counts nothing.
   *
   * @param key 64 lower-case hexadecimal digits; with others nothing is found.
   * @returns The facts, or undefined when the URL is not stored.
   * @throws {TypeError} If `key` is not a string.
   * @throws {CacheClosedError} If the cache is closed.
   */
  async infoByKey(key: string): Promise<EntryInfo | undefined> {
    return this.#isKey(key) ? await this.#parts.peek.info(key) : undefined;
  }

  /**
   * Joins a running download, by the SHA-256 of its URL. Counts as a miss that
   * joined, as in {@linkcode MediaCache.getOrDownload}.
   *
   * @param key 64 lower-case hexadecimal digits; with others nothing is found.
   * @param options The caller's signal, its listener for progress, its retries, and what it
   * accepts; no age.
   * @returns The media, or undefined when no such download runs.
   * @throws {TypeError} If `key` is not a string, or an option is unknown or of another type.
   * @throws {RangeError} If `accept` has a member that is no type.
   * @throws {UnacceptableTypeError} If the type is not among those that are accepted.
   * @throws {MediaCacheError} If the download waits for the downloader that calls.
   * @throws {CacheClosedError} If the cache is or becomes closed.
   * @throws The error of the download, if it fails before its type is certain, or
   * the reason of the signal.
   */
  async joinByKey(
    key: string,
    options: GetOrDownloadOptions = {},
  ): Promise<Media | undefined> {
    const { accept = this.#options.accept } = checkCallerOptions(options);
    const download = this.#joinableByKey(key);
    if (download === undefined) return undefined;
    options.signal?.throwIfAborted();
    this.#counters.misses++;
    return await download.join({ ...options, accept });
  }

  /**
   * Whether a URL is stored. Changes no recency and counts nothing.
   *
   * @param url The URL, compared as given.
   * @returns True for a committed entry.
   * @throws {CacheClosedError} If the cache is closed.
   */
  async has(url: string | URL): Promise<boolean> {
    return await this.#parts.peek.has(this.#canonical(url));
  }

  /**
   * Stores bytes as they are; nothing is converted. Waits for the end of a running
   * download of the same URL. The bytes of a known URL stay, and a given stream is
   * cancelled unread, unless `replace` is set. An array of more than 64 KiB must not be
   * changed before the call has settled.
   *
   * @param url The URL.
   * @param data The bytes.
   * @param mimetype Media type.
   * @param filename File name; a path is made safe.
   * @param options Whether to replace a stored entry.
   * @returns True when the URL is on disk afterwards; false for empty or
   * oversize data, a URL of more than some 1 MiB, or when the disk fails.
   * @throws {TypeError} If an argument is of the wrong type, or an option is unknown.
   * @throws {DownloadTimeoutError} If a given stream brings no byte for `idleTimeoutMs`.
   * @throws {MediaCacheError} If a downloader calls for its own URL, or for a URL
   * whose download waits for that downloader.
   * @throws {CacheClosedError} If the cache is or becomes closed.
   * @throws The error of a given stream.
   *
   * @example Store bytes that are at hand
   * ```ts
   * import { MediaCache } from "@media-cache/media-cache";
   * import { assert } from "@std/assert";
   *
   * await using cache = await MediaCache.open({ cacheDir: await Deno.makeTempDir() });
   * const bytes = new TextEncoder().encode("hello");
   *
   * assert(await cache.put("https://example.org/hello", bytes, "text/plain", "hello.txt"));
   * assert(await cache.has("https://example.org/hello"));
   * ```
   */
  async put(
    url: string | URL,
    data: PutData,
    mimetype: string,
    filename: string,
    options: PutOptions = NO_OPTIONS,
  ): Promise<boolean> {
    const canonical = this.#canonical(url);
    if (options !== NO_OPTIONS) assertPutOptions(options);
    for (
      let running = this.#downloads.find(canonical);
      running !== undefined;
      running = this.#downloads.find(canonical)
    ) await running.ended();
    this.#assertOpen();
    return await this.#putter.put(canonical, data, mimetype, filename, options);
  }

  /**
   * Returns the media of a URL: from the cache, from a running download, or from a
   * download that this call starts. Resolves as soon as the type is certain: after
   * the first 6 bytes, or up to 1,445 bytes if no type is named; for a GIF after its
   * conversion to MP4.
   *
   * With `maxAgeMs`, of the cache or of the call, the downloader is also called for an entry
   * that is older, with the conditions of that entry in its `headers`. If the origin confirms
   * the bytes, or can't be asked, they are returned; other bytes are, when all have come.
   *
   * @param url The URL, compared as given.
   * @param downloader Fetches a URL that is not stored. Called once for all callers
   * that want the URL at the same time; again if the origin refuses the URL of a caller, after
   * a failure that may pass (`retries`), and for the rest of a body that broke, if it sends
   * the `headers` that it is given.
   * @param options The caller's signal, its listener for progress, its retries, and what it
   * accepts.
   * @returns The media, whose stream runs along with the download.
   * @throws {HttpStatusError} If the downloader gave a `Response` with a status
   * other than 200 and 203.
   * @throws {UnacceptableTypeError} If the type is not among those that are accepted.
   * @throws {TooLargeError} If the download is declared to be above `maxDownloadMb`.
   * @throws {DownloadTimeoutError} If the download brings no byte for `idleTimeoutMs`,
   * or takes longer than `timeoutMs`.
   * @throws {IncompleteBodyError} If the download ends early, before the type is
   * certain.
   * @throws {MediaCacheError} If a downloader calls for its own URL, or for a URL
   * whose download waits for that downloader.
   * @throws {CacheClosedError} If the cache is or becomes closed.
   * @throws {TypeError} If `downloader` is not a function, or an option is unknown or of
   * another type.
   * @throws {RangeError} If `accept` has a member that is no type, `retries` is no integer of
   * at least 0, or a time is negative.
   * @throws The downloader's own error, also one that is remembered (`failureTtlMs`), or the
   * reason of the signal.
   *
   * @example Stream while the download runs
   * ```ts
   * import { MediaCache } from "@media-cache/media-cache";
   * import { assertEquals } from "@std/assert";
   *
   * await using cache = await MediaCache.open({ cacheDir: await Deno.makeTempDir() });
   * const data = new Blob(["first ", "last"]).stream();
   *
   * const media = await cache.getOrDownload(
   *   "https://example.org/text",
   *   () => Promise.resolve({ data, mimetype: "text/plain" }),
   * );
   * let text = "";
   * for await (const chunk of media.body) text += new TextDecoder().decode(chunk);
   *
   * assertEquals(text, "first last");
   * assertEquals(await media.stored, true);
   * ```
   */
  async getOrDownload(
    url: string | URL,
    downloader: Downloader,
    options: GetOrDownloadOptions = NO_OPTIONS,
  ): Promise<Media> {
    const canonical = this.#canonical(url);
    if (typeof downloader !== "function") {
      throw wrongType("download", "downloader", "a function", downloader);
    }
    const own: GetOrDownloadOptions = options === NO_OPTIONS
      ? options
      : checkCallerOptions(options);
    const { accept = this.#options.accept, signal } = own;
    const { maxAgeMs = this.#options.maxAgeMs } = own;
    signal?.throwIfAborted();
    let download = this.#downloads.find(canonical);
    if (download === undefined) {
      const media = maxAgeMs === undefined
        ? await this.#hits.get(canonical, signal)
        : await this.#hits.getChecked(
          canonical,
          (entry) =>
            this.#revalidations.check(
              entry,
              { url: String(url), downloader },
              { ...own, accept, maxAgeMs },
            ),
          signal,
        );
      signal?.throwIfAborted();
      if (media !== undefined) {
        if (accept !== undefined) {
          await this.#hits.assertAccepted(media, accept);
        }
        return media;
      }
      this.#assertOpen();
      // Another caller may have started a download during the lookup.
      download = this.#downloads.find(canonical);
    }
    this.#counters.misses++;
    const link = { url: String(url), downloader };
    download ??= this.#downloads.start(canonical, link);
    return await download.join({ ...options, accept }, link);
  }

  /**
   * Sends a media by the handle of an earlier upload, or uploads it: the bytes go to a
   * platform once, and are neither downloaded nor opened again. Of simultaneous calls for a
   * URL and place in one process one uploads, and the others then send its handle. If the
   * upload fails, its caller gets the error, and the next caller uploads.
   *
   * Handles are kept in notes beside the entries: over restarts, when the entry is evicted,
   * and where the media is too large to be stored. `delete()`, `clear()`, `put({ replace })`
   * and other bytes from the origin (`maxAgeMs`) forget them. A process that is killed before
   * it has kept a handle uploads once more.
   *
   * @param url The URL, compared as given.
   * @param place The account and kind that handles are for, such as
   * `telegram:<bot id>:photo`; at most 1 KiB. A URL has at most 32 places: then the one
   * set longest ago is forgotten.
   * @param downloader Fetches a URL that has no handle and is not stored, as in
   * {@linkcode MediaCache.getOrDownload}.
   * @param steps How to send by handle (`again`), and how to upload (`first`).
   * @param options As those of {@linkcode MediaCache.getOrDownload}, for the media that
   * `first` gets: a send by a handle asks no origin, whatever `maxAgeMs` is. The signal also
   * ends the wait for the upload of another caller.
   * @returns The result of `again` or `first`.
   * @throws {TypeError} If an argument is of the wrong type, or an option is unknown.
   * @throws {RangeError} If the place is empty or above 1 KiB, or the handle that `first`
   * has returned is: the media has been sent by then.
   * @throws {MediaCacheError} If `first` or a downloader calls for its own URL and place, or
   * for those of an upload that waits for this one.
   * @throws {CacheClosedError} If the cache is or becomes closed before the upload.
   * @throws The error of `again`, of `first` or of the download, or the reason of the
   * signal.
   *
   * @example Upload a photo once
   * ```ts
   * import { MediaCache } from "@media-cache/media-cache";
   * import { assertEquals } from "@std/assert";
   *
   * await using cache = await MediaCache.open({ cacheDir: await Deno.makeTempDir() });
   * const url = "https://example.org/cat.png";
   * const data = new Blob(["meow"]);
   * const sent: string[] = [];
   *
   * const send = () =>
   *   cache.sendOnce(url, "telegram:123:photo", () => Promise.resolve({ data, mimetype: "image/png" }), {
   *     again: (fileId) => Promise.resolve(sent.push(fileId)),
   *     first: async (media) => ({ result: sent.push(await new Response(media.body).text()), handle: "AgAC" }),
   *   });
   * await send();
   * await send();
   *
   * assertEquals(sent, ["meow", "AgAC"]);
   * ```
   */
  async sendOnce<T>(
    url: string | URL,
    place: string,
    downloader: Downloader,
    steps: SendSteps<T>,
    options: GetOrDownloadOptions = NO_OPTIONS,
  ): Promise<T> {
    const canonical = this.#canonical(url);
    // Also for a send by a handle, which never gets to the options otherwise.
    if (options !== NO_OPTIONS) checkCallerOptions(options);
    const getMedia = () => this.getOrDownload(url, downloader, options);
    const { handles } = this.#parts;
    return await handles.send(canonical, place, steps, getMedia, options);
  }

  /**
   * The handle by which a platform knows the media of a URL. Opens no body, and counts
   * nothing.
   *
   * @param url The URL, compared as given.
   * @param place The account and kind that the handle is for.
   * @returns The handle; undefined where none is known.
   * @throws {TypeError} If `place` is not a string.
   * @throws {RangeError} If it is empty, or above 1 KiB.
   * @throws {CacheClosedError} If the cache is closed.
   *
   * @example Keep a handle
   * ```ts
   * import { MediaCache } from "@media-cache/media-cache";
   * import { assertEquals } from "@std/assert";
   *
   * await using cache = await MediaCache.open({ cacheDir: await Deno.makeTempDir() });
   * const url = "https://example.org/cat.png";
   * const place = "matrix:@bot:example.org";
   *
   * await cache.setHandle(url, place, "mxc://example.org/cat");
   * assertEquals(await cache.handle(url, place), "mxc://example.org/cat");
   *
   * await cache.setHandle(url, place, undefined);
   * assertEquals(await cache.handle(url, place), undefined);
   * ```
   */
  async handle(url: string | URL, place: string): Promise<string | undefined> {
    return await this.#parts.handles.get(this.#canonical(url), place);
  }

  /**
   * Keeps the handle by which a platform knows the media of a URL, whether that is stored
   * or not. Where the disk refuses, this cache keeps the handle in RAM. Of two processes
   * that set handles of one URL at the same moment, one may lose its own.
   *
   * @param url The URL, compared as given.
   * @param place The account and kind that the handle is for. Of more than 32 places the
   * one set longest ago is forgotten.
   * @param handle The handle; undefined forgets it.
   * @throws {TypeError} If `place` or `handle` is of the wrong type.
   * @throws {RangeError} If one of them is empty, or above 1 KiB.
   * @throws {CacheClosedError} If the cache is closed.
   */
  async setHandle(
    url: string | URL,
    place: string,
    handle: string | undefined,
  ): Promise<void> {
    await this.#parts.handles.set(this.#canonical(url), place, handle);
  }

  /**
   * The places where the media of a key has handles, by the SHA-256 of its URL, for servers.
   * The handles are not told.
   *
   * @param key 64 lower-case hexadecimal digits; with others nothing is found.
   * @returns The places, the one set last first.
   * @throws {TypeError} If `key` is not a string.
   * @throws {CacheClosedError} If the cache is closed.
   */
  async placesByKey(key: string): Promise<string[]> {
    return this.#isKey(key) ? await this.#parts.handles.places(key) : [];
  }

  /**
   * Lists the committed entries, most recently used first, as they are when the
   * iteration begins. Waits until all are known. Changes no recency and counts nothing,
   * not even a disk fault, after which the entries known so far are listed.
   *
   * @returns The entries.
   * @throws {CacheClosedError} If the cache is closed.
   *
   * @example Add up sizes
   * ```ts
   * import { MediaCache } from "@media-cache/media-cache";
   * import { assertEquals } from "@std/assert";
   *
   * await using cache = await MediaCache.open({ cacheDir: await Deno.makeTempDir() });
   * await cache.put("https://example.org/a", new Uint8Array(3), "image/png", "a.png");
   * await cache.put("https://example.org/b", new Uint8Array(4), "image/png", "b.png");
   *
   * const names: string[] = [];
   * for await (const { filename } of cache.entries()) names.push(filename);
   *
   * assertEquals(names, ["b.png", "a.png"]);
   * ```
   */
  async *entries(): AsyncIterableIterator<EntryInfo> {
    this.#assertOpen();
    const { loader, catalog } = this.#parts;
    await loader.caughtUp();
    for (const entry of catalog.snapshot().newestFirst()) yield infoOf(entry);
  }

  /**
   * Lists the running downloads, oldest first.
   *
   * @returns The facts of each.
   */
  inFlight(): DownloadInfo[] {
    return this.#downloads.list();
  }

  /**
   * Deletes an entry. A running download of the URL is detached: its readers
   * finish, and nothing is stored. With a remote tier, its object is deleted, too, and other
   * hosts drop theirs within `changesEveryMs`: the call waits for that for `lookupTimeoutMs`
   * at most, and what has failed is tried again in the background until the process ends.
   *
   * @param url The URL, compared as given.
   * @returns True when there was an entry.
   * @throws {CacheClosedError} If the cache is closed.
   */
  async delete(url: string | URL): Promise<boolean> {
    const canonical = this.#canonical(url);
    return await this.#delete(keyOf(canonical), canonical);
  }

  /**
   * Deletes an entry by the SHA-256 of its URL, for servers. Otherwise as
   * {@linkcode MediaCache.delete}.
   *
   * @param key 64 lower-case hexadecimal digits; with others nothing is found.
   * @returns True when there was an entry.
   * @throws {TypeError} If `key` is not a string.
   * @throws {CacheClosedError} If the cache is closed.
   */
  async deleteByKey(key: string): Promise<boolean> {
    return this.#isKey(key) && await this.#delete(key);
  }

  /**
   * Deletes all entries, also those of other processes. Running downloads are
   * detached, as in {@linkcode MediaCache.delete}. The objects of a remote tier stay.
   *
   * @throws {CacheClosedError} If the cache is closed.
   */
  async clear(): Promise<void> {
    this.#assertOpen();
    this.#downloads.detachAll();
    this.#revalidations.detachAll();
    await this.#parts.deletion.clear();
  }

  /**
   * Checks every file: its length, its digest where the sidecar has one, whether it belongs
   * to an entry at all; and whether notes can be read. Files of no entry that another
   * process may be writing are reported but not removed: halves of pairs younger than
   * 10 minutes, and .part files younger than 5 seconds.
   *
   * @param options Whether to remove files that are wrong.
   * @returns The report.
   * @throws {TypeError} If an option is unknown, or has another type.
   * @throws {MediaCacheError} If the directory can't be used.
   * @throws {CacheClosedError} If the cache is closed.
   *
   * @example Repair a directory
   * ```ts
   * import { MediaCache } from "@media-cache/media-cache";
   * import { assertEquals } from "@std/assert";
   *
   * const cacheDir = await Deno.makeTempDir();
   * await using cache = await MediaCache.open({ cacheDir });
   * const bytes = new TextEncoder().encode("hello");
   * await cache.put("https://example.org/hello", bytes, "text/plain", "hello.txt");
   * const [entry] = await Array.fromAsync(cache.entries());
   * await Deno.writeTextFile(`${cacheDir}/${entry?.key}.dat`, "jelly");
   *
   * const { problems, fixed } = await cache.verify({ fix: true });
   *
   * assertEquals([problems.length, fixed], [1, 1]);
   * ```
   */
  async verify(options: VerifyOptions = NO_OPTIONS): Promise<VerifyReport> {
    this.#assertOpen();
    if (options !== NO_OPTIONS) assertVerifyOptions(options);
    const { calls, loader } = this.#parts;
    return await calls.run(async () => {
      await loader.settled();
      return await verify(options, this.#parts, this.#options.readOnly);
    });
  }

  /**
   * Takes a snapshot of sizes and counts: plain data, without I/O or locks, so cheap
   * enough to poll.
   *
   * @returns A snapshot.
   */
  stats(): CacheStats {
    const { maxBytes } = this.#options;
    const inFlight = this.#downloads.count;
    const gauges = { ...gaugesOf(this.#parts), maxBytes, inFlight };
    return snapshot(this.#counters, gauges);
  }

  /** The limits that the options set. */
  get limits(): CacheLimits {
    return limitsOf(this.#options);
  }

  /**
   * Checks whether entries can be stored, by writing a few bytes to the directory
   * and removing them. A `readOnly` cache only looks for the directory.
   *
   * @returns The reason why not, without any path; undefined when all is well.
   *
   * @example Tell a supervisor
   * ```ts
   * import { MediaCache } from "@media-cache/media-cache";
   * import { assertEquals } from "@std/assert";
   *
   * await using cache = await MediaCache.open({ cacheDir: await Deno.makeTempDir() });
   *
   * assertEquals(await cache.probe(), undefined);
   * ```
   */
  async probe(): Promise<string | undefined> {
    if (this.#closing !== undefined) return "the cache is closed";
    const { calls, store } = this.#parts;
    return await calls.run(() => store.whyUnusable());
  }

  /**
   * Calls a listener for each event from now on. An error that it throws is ignored.
   *
   * @param listener Called synchronously with each event.
   * @returns A function that ends the subscription.
   * @throws {TypeError} If `listener` is not a function.
   *
   * @example Count evictions
   * ```ts
   * import { MediaCache } from "@media-cache/media-cache";
   * import { assertEquals } from "@std/assert";
   *
   * await using cache = await MediaCache.open({ cacheDir: await Deno.makeTempDir(), maxSizeMb: 1 });
   * const evicted: string[] = [];
   * const unsubscribe = cache.subscribe((event) => {
   *   if (event.type === "evicted") evicted.push(event.filename);
   * });
   * const bytes = new Uint8Array(600_000);
   * await cache.put("https://example.org/old", bytes, "image/png", "old.png");
   * await cache.put("https://example.org/new", bytes, "image/png", "new.png");
   * unsubscribe();
   *
   * assertEquals(evicted, ["old.png"]);
   * ```
   */
  subscribe(listener: MediaCacheListener): () => void {
    return this.#hub.subscribe(listener);
  }

  /**
   * Closes the cache. Running downloads, and uploads of `sendOnce()`, may finish within
   * 10 s; then downloads are aborted, and handles of uploads are lost. Pending uses are
   * written. Uploads to a remote tier may end within the same time, and those that have not
   * are lost to other hosts. Later calls reject with {@linkcode CacheClosedError}; streams
   * that have begun can be read to their end, and an unread Media rejects. Idempotent.
   *
   * @param options How long to wait.
   * @throws {TypeError} If an option is unknown, or has another type.
   * @throws {RangeError} If `timeoutMs` is negative or NaN.
   */
  async close(options: CloseOptions = {}): Promise<void> {
    assertCloseOptions(options);
    const { abort = false, timeoutMs = CLOSE_TIMEOUT_MS } = options;
    this.#closing ??= this.#close(abort ? 0 : timeoutMs);
    // Also if an earlier call waits for the downloads.
    if (abort) this.#abortAll();
    await this.#closing;
  }

  /** Closes the cache, as {@linkcode MediaCache.close} without options does. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #delete(key: string, url?: string): Promise<boolean> {
    this.#revalidations.find(key)?.detach();
    this.#downloads.detach(key);
    const { deletion, peek, remote } = this.#parts;
    const task = async () =>
      await deletion.deleteByKey(key, url ?? await peek.urlOf(key));
    return remote?.deleteAfter(key, task) ?? task();
  }

  #isKey(key: string): boolean {
    this.#assertOpen();
    if (typeof key === "string") return KEY_REGEXP.test(key);
    throw wrongType("use key", "key", "a string", key);
  }

  #joinableByKey(key: string): SharedDownload | undefined {
    return this.#isKey(key) ? this.#downloads.findByKey(key) : undefined;
  }

  #canonical(url: string | URL): string {
    this.#assertOpen();
    if (typeof url !== "string" && !(url instanceof URL)) {
      throw wrongType("use URL", "url", "a string or a URL", url);
    }
    // UTF-8 has no lone surrogates: key and sidecar would hold U+FFFD anyway.
    const given = String(url).toWellFormed();
    const { canonicalUrl } = this.#options;
    return canonicalUrl === undefined
      ? given
      : canonicalBy(canonicalUrl, given);
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new CacheClosedError();
    // Also a host with hits alone must learn what other hosts have deleted.
    this.#parts.remote?.start();
  }

  #abortAll(): void {
    const error = new CacheClosedError();
    this.#downloads.abort(error);
    this.#revalidations.abort(error);
    this.#putter.abort(error);
    this.#parts.handles.sends.abort(error);
    this.#parts.remote?.abort();
  }

  async #close(timeoutMs: number): Promise<void> {
    const onTimeout = () => this.#abortAll();
    const deadline = new Deadline(Infinity, timeoutMs, onTimeout);
    await Promise.all([
      this.#downloads.settled(),
      this.#revalidations.end(),
      this.#putter.settled(),
    ]);
    await this.#parts.handles.sends.settled();
    await this.#parts.remote?.close();
    deadline.stop();
    this.#parts.handles.sends.abort(new CacheClosedError());
    this.#parts.lifetime.closed = true;
    await closeParts(this.#parts);
  }
}
