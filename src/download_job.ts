import { callSafely } from "./call_safely.ts";
import { CachedMedia, type MediaFacts } from "./cached_media.ts";
import type { DownloadInfo, GetOrDownloadOptions } from "./download_info.ts";
import {
  DownloadRun,
  type Handout,
  type RunEnvironment,
} from "./download_run.ts";
import type { Downloader } from "./downloader.ts";
import { keyOf } from "./key.ts";
import type { Lifetime } from "./lease.ts";
import type { Media } from "./media.ts";
import type { MediaBody } from "./media_body.ts";
import type { Semaphore } from "./semaphore.ts";
import { Waiters } from "./waiters.ts";

/** What all downloads of a cache share. */
export interface DownloadEnvironment extends RunEnvironment {
  /** The downloads that may run at a time. */
  readonly slots: Semaphore;
  /** The cache. */
  readonly lifetime: Lifetime;
}

/** One running download of one URL, and all its callers. */
export class DownloadJob {
  /** The canonical URL. */
  readonly url: string;
  /** Its key. */
  readonly key: string;
  /** Whether the body is on disk in the end. Never rejects. */
  readonly stored: Promise<boolean>;
  readonly #env: DownloadEnvironment;
  readonly #onUnjoinable: () => void;
  readonly #controller = new AbortController();
  readonly #waiters = new Waiters<{ facts: MediaFacts; body: MediaBody }>();
  readonly #watchers = new Set<GetOrDownloadOptions>();
  readonly #run: DownloadRun;
  #handout: Handout | undefined;
  #isDetached = false;
  #isOver = false;

  /**
   * Starts the download.
   *
   * @param onUnjoinable Called when later callers must start one of their own,
   * at the end at the latest.
   */
  constructor(
    env: DownloadEnvironment,
    url: string,
    callerUrl: string,
    downloader: Downloader,
    onUnjoinable: () => void,
  ) {
    this.#env = env;
    this.url = url;
    this.key = keyOf(url);
    this.#onUnjoinable = onUnjoinable;
    this.#run = new DownloadRun(env, url, this.key, this.#controller, {
      wanted: () => !this.#isDetached,
      onHandout: (handout) => this.#handOut(handout),
      onProgress: (received, total) => this.#progress(received, total),
      onAbandoned: () => this.#left(),
      onUncached: onUnjoinable,
      onEnded: () => this.#end(),
    });
    this.stored = this.#start(downloader, callerUrl);
  }

  /** Whether it still runs, as callers see it. */
  get isRunning(): boolean {
    return !this.#isOver;
  }

  /** How far it has come. */
  get info(): DownloadInfo {
    return this.#run.info;
  }

  /** Waits until the type is certain, and gives a Media of the body. */
  async join(options: GetOrDownloadOptions): Promise<Media> {
    const { signal } = options;
    if (options.onProgress !== undefined) this.#watchers.add(options);
    const { facts, body } = this.#handout !== undefined
      ? { facts: this.#handout.facts, body: this.#handout.body() }
      : await this.#waiters.wait(signal, () => this.#left());
    if (signal?.aborted) {
      body.release();
      throw signal.reason;
    }
    const { lifetime } = this.#env;
    const { stored } = this;
    const traits = { source: "download", stored, lifetime, signal } as const;
    return new CachedMedia(facts, body, traits);
  }

  /** Its readers go on, but nothing will be stored. */
  detach(): void {
    this.#isDetached = true;
    this.#onUnjoinable();
    this.#left();
  }

  /** Ends it with an error. */
  abort(reason: unknown): void {
    this.#controller.abort(reason);
  }

  async #start(downloader: Downloader, callerUrl: string): Promise<boolean> {
    const { slots } = this.#env;
    try {
      const release = await slots.acquire(this.#controller.signal);
      try {
        return await this.#run.run(downloader, callerUrl);
      } finally {
        release();
      }
    } catch (error) {
      // Over first, so that a caller who tries again at once starts a download.
      this.#end();
      this.#run.fail(error);
      this.#waiters.reject(error);
      return false;
    } finally {
      await this.#run.discard();
    }
  }

  #handOut(handout: Handout): void {
    const { facts } = handout;
    this.#handout = handout;
    this.#waiters.resolve(() => ({ facts, body: handout.body() }));
  }

  #progress(received: number, total: number | undefined): void {
    for (const { onProgress, signal } of this.#watchers) {
      if (signal?.aborted) continue;
      callSafely(() => onProgress?.({ received, total }));
    }
  }

  /** Somebody has left: perhaps nobody waits and nobody reads any more. */
  #left(): void {
    const { tee } = this.#run;
    const isAbandoned = this.#waiters.count === 0 &&
      (this.#handout === undefined || tee?.idle === true);
    if (!isAbandoned) return;
    const isPointless = this.#isDetached || tee?.cached === false;
    if (isPointless || this.#env.options.whenAbandoned === "abort") {
      // It takes a while to end, and nobody may join it any more.
      this.#onUnjoinable();
      this.abort(new DOMException("The download was abandoned", "AbortError"));
    }
  }

  #end(): void {
    this.#isOver = true;
    this.#watchers.clear();
    this.#onUnjoinable();
  }
}
