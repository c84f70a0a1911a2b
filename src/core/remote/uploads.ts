import type { ResolvedRemote } from "../api/remote_option.ts";
import type { RemoteEntry } from "../api/remote_tier.ts";
import { Condition } from "../async/condition.ts";
import { Semaphore } from "../async/semaphore.ts";
import type { RemoteCalls } from "./remote_calls.ts";
import type { RemoteCounters } from "./remote_counters.ts";
import type { UploadBody, UploadSource } from "./upload_source.ts";

/** The most attempts to upload an entry. */
const MAX_ATTEMPTS = 2;

/** The steps around an upload that other parts do. */
export interface UploadSteps {
  /** Waits for a deletion of the key that runs. */
  deleted(key: string): Promise<void>;
  /** Called when the object of an entry is stored. */
  onStored(key: string, entry: RemoteEntry): void;
  /**
   * Called when the entry will not be uploaded.
   *
   * @param replaces Whether other hosts may have other bytes of the key.
   */
  onGivenUp(key: string, replaces: boolean): void;
}

/** An upload that waits or runs. */
interface Upload {
  readonly key: string;
  /** Whether other hosts may have other bytes of the key. */
  replaces: boolean;
  attempts: number;
}

/** An upload that runs. */
interface RunningUpload extends Upload {
  readonly controller: AbortController;
  /** The entry, once it is open. */
  body: UploadBody | undefined;
}

/**
 * Uploads entries after they were stored, a few at a time. The latest entry of a key wins:
 * it is opened when its upload begins.
 */
export class Uploads {
  readonly #remote: ResolvedRemote;
  readonly #source: Pick<UploadSource, "open">;
  readonly #calls: RemoteCalls;
  readonly #counters: RemoteCounters;
  readonly #steps: UploadSteps;
  readonly #slots: Semaphore;
  readonly #waiting = new Map<string, Upload>();
  readonly #running = new Map<string, RunningUpload>();
  readonly #ended = new Condition();
  #isClosed = false;

  constructor(
    remote: ResolvedRemote,
    source: Pick<UploadSource, "open">,
    calls: RemoteCalls,
    counters: RemoteCounters,
    steps: UploadSteps,
  ) {
    this.#remote = remote;
    this.#source = source;
    this.#calls = calls;
    this.#counters = counters;
    this.#steps = steps;
    this.#slots = new Semaphore(remote.limits.maxConcurrentUploads);
  }

  /** The uploads that wait or run. */
  get count(): number {
    return this.#waiting.size + this.#running.size;
  }

  /** Whether an upload of a key waits or runs. */
  has(key: string): boolean {
    return this.#waiting.has(key) || this.#running.has(key);
  }

  /** Whether the object of a key is about to be replaced. */
  isReplacing(key: string): boolean {
    return this.#waiting.get(key)?.replaces === true ||
      this.#running.get(key)?.replaces === true;
  }

  /**
   * Uploads an entry soon, unless that can't be: then it is skipped.
   *
   * @param replaces Whether other hosts may have other bytes of the key.
   */
  add(key: string, size: number, replaces: boolean): void {
    const { maxEntryBytes, maxQueuedUploads } = this.#remote.limits;
    const running = this.#running.get(key);
    const upload = {
      key,
      replaces: replaces || this.isReplacing(key),
      attempts: 0,
    };
    // The running upload has the bytes of the entry before.
    if (running !== undefined) this.#stop(running);
    const isFull = !this.#waiting.has(key) &&
      this.#waiting.size >= maxQueuedUploads;
    const isSkipped = this.#isClosed || isFull || size > maxEntryBytes ||
      !this.#calls.admits;
    if (isSkipped) {
      this.#waiting.delete(key);
      this.#skip(upload);
      return;
    }
    this.#waiting.set(key, upload);
    this.#start();
  }

  /**
   * Forgets the upload of a key, and waits until none runs.
   *
   * @param isMeant Tells by the entry whether an upload that runs is meant; then one that
   * waits stays, which opens its entry later.
   */
  async drop(
    key: string,
    isMeant?: (entry: RemoteEntry) => boolean,
  ): Promise<void> {
    if (isMeant === undefined) this.#waiting.delete(key);
    const running = this.#running.get(key);
    if (running === undefined) return;
    const { body, replaces, attempts } = running;
    if (body !== undefined && isMeant?.(body.entry) === false) return;
    // Its entry may be meant or not: opened anew, it is the present one.
    const isAgain = body === undefined && isMeant !== undefined &&
      !this.#waiting.has(key);
    if (isAgain) this.#waiting.set(key, { key, replaces, attempts });
    this.#stop(running);
    while (this.#running.get(key) === running) await this.#ended.wait();
  }

  /** Waits until no upload waits or runs. */
  async settled(): Promise<void> {
    while (this.count > 0) await this.#ended.wait();
  }

  /** Forgets all uploads, and ends those that run. */
  close(): void {
    this.#isClosed = true;
    this.#waiting.clear();
    for (const { controller } of this.#running.values()) controller.abort();
    this.#ended.notifyAll();
  }

  /** Ends an upload, unless the tier may store its bytes all the same. */
  #stop({ body, controller }: RunningUpload): void {
    if (body?.isSent !== true) controller.abort();
  }

  #start(): void {
    const { maxConcurrentUploads } = this.#remote.limits;
    for (const upload of this.#waiting.values()) {
      if (this.#running.size >= maxConcurrentUploads) return;
      if (this.#running.has(upload.key)) continue;
      this.#waiting.delete(upload.key);
      this.#run(upload);
    }
  }

  async #run(upload: Upload): Promise<void> {
    const { key } = upload;
    const controller = new AbortController();
    const running: RunningUpload = { ...upload, controller, body: undefined };
    this.#running.set(key, running);
    let end: RemoteEntry | "failed" | "skipped";
    try {
      end = await this.#upload(running);
    } catch {
      // Dropped, or a later entry of the key takes its place.
      end = "skipped";
    }
    this.#running.delete(key);
    if (typeof end === "object") this.#steps.onStored(key, end);
    else if (!controller.signal.aborted) this.#retry(running, end);
    this.#ended.notifyAll();
    this.#start();
  }

  async #upload(
    running: RunningUpload,
  ): Promise<RemoteEntry | "failed" | "skipped"> {
    const { key, replaces, controller: { signal } } = running;
    const { tier, limits } = this.#remote;
    await this.#steps.deleted(key);
    signal.throwIfAborted();
    if (this.#calls.isDown) await this.#revive(key, signal);
    if (this.#calls.isDown) return "skipped";
    const body = running.body = await this.#source.open(key);
    if (body === undefined) return "skipped";
    try {
      signal.throwIfAborted();
      const { entry } = body;
      const object = { entry, open: () => body.open(), replaces };
      const outcome = await this.#calls.run(
        (limit) => tier.put(key, object, limit),
        {
          timeoutMs: limits.uploadTimeoutMs,
          signal,
          slots: this.#slots,
          isBackground: true,
        },
      );
      if (typeof outcome === "string") return outcome;
      this.#counters.uploads++;
      this.#counters.bytesSent += entry.size;
      return entry;
    } finally {
      body.close();
    }
  }

  /** Asks a tier that was down whether it is up again: an upload would take too long for that. */
  async #revive(key: string, signal: AbortSignal): Promise<void> {
    const { tier, limits: { lookupTimeoutMs } } = this.#remote;
    await this.#calls.run((limit) => tier.has(key, limit), {
      timeoutMs: lookupTimeoutMs,
      signal,
      isBackground: true,
    });
  }

  #retry(
    { key, replaces, attempts }: Upload,
    end: "failed" | "skipped",
  ): void {
    // A later entry of the key waits already.
    if (this.#waiting.has(key)) return;
    const upload = { key, replaces, attempts: attempts + 1 };
    const mayRetry = end === "failed" && upload.attempts < MAX_ATTEMPTS &&
      !this.#isClosed && !this.#calls.isDown;
    if (mayRetry) this.#waiting.set(key, upload);
    else this.#skip(upload);
  }

  #skip({ key, replaces }: Upload): void {
    this.#counters.uploadsSkipped++;
    this.#steps.onGivenUp(key, replaces);
  }
}
