import type { GetOrDownloadOptions } from "../api/call_options.ts";
import { UnacceptableTypeError } from "../api/errors.ts";
import { callSafely } from "../reporting/call_safely.ts";
import { isInRanges } from "../text/media_ranges.ts";
import { type CallerLink, CallerLinks } from "./caller_links.ts";
import type { DownloadParts, DownloadTask } from "./download_parts.ts";

/** A caller that waits for the result. */
interface Waiting<T> {
  readonly accept: readonly string[] | undefined;
  readonly link: CallerLink | undefined;
  readonly resolve: (result: T) => void;
  readonly reject: (error: unknown) => void;
  /** Ends the wait of this caller alone. */
  readonly leave: (reason: unknown) => void;
}

/** The parts of the cache that {@linkcode Callers} work on. */
type CallerParts = Pick<DownloadParts, "slots" | "failures" | "counters">;

/**
 * The callers that share a download, or the check of an entry. They wait for the same
 * result, and each may stop waiting alone. The task uses the links of all, and goes on as
 * long as one of them accepts its type.
 */
export class Callers<T> {
  /** Whether a caller accepts some types only. */
  isSelective = false;
  readonly #parts: CallerParts;
  readonly #task: Pick<DownloadTask, "slot" | "link">;
  readonly #waiting = new Set<Waiting<T>>();
  readonly #watchers = new Set<GetOrDownloadOptions>();
  /** The links of all callers; undefined while all have the URL of the first. */
  #links: CallerLinks | undefined;
  /** The ranges of all callers, also of those that have left: the body is stored for them, too. */
  readonly #accepted = new Set<string>();
  #acceptsAll = false;

  /** @param task Has the slot of the task, and the link of the first caller. */
  constructor(parts: CallerParts, task: Pick<DownloadTask, "slot" | "link">) {
    this.#parts = parts;
    this.#task = task;
  }

  /** How many callers wait. */
  get count(): number {
    return this.#waiting.size;
  }

  /**
   * Lets a caller in.
   *
   * @param link The caller's link, tried if the origin refuses those before; none for a
   * caller that knows the key alone.
   * @returns A function to be called when the caller wants nothing any more.
   * @throws {MediaCacheError} If the task waits for the caller.
   */
  join(
    options: GetOrDownloadOptions,
    link: CallerLink | undefined,
  ): () => void {
    const { slots, failures } = this.#parts;
    const { slot, link: first } = this.#task;
    const leave = link === first
      ? slot.leaveFirst
      : slots.enter(slot, "download");
    // A single URL needs no list: no other link could be tried.
    const isOther = link !== undefined && link.url !== first.url;
    if (isOther && !failures?.find(link.url)) {
      this.#links ??= new CallerLinks();
      this.#links.add(link);
    }
    this.accept(options.accept);
    if (options.onProgress !== undefined) this.#watchers.add(options);
    return () => {
      leave?.();
      if (link !== undefined) this.#links?.remove(link);
    };
  }

  /** Notes the types that a caller accepts; undefined for all. */
  accept(types: readonly string[] | undefined): void {
    if (types === undefined) this.#acceptsAll = true;
    else this.isSelective = true;
    for (const range of types ?? []) this.#accepted.add(range);
  }

  /**
   * Waits for the result.
   *
   * @param options The options of the caller: its signal ends its wait.
   * @param link The caller's link: of several failures the caller gets that of its link.
   * @param onLeave Called when the caller has stopped waiting before the others.
   * @throws The error of the task, {@linkcode UnacceptableTypeError}, or the signal's reason.
   */
  async wait(
    { accept, signal }: GetOrDownloadOptions,
    link: CallerLink | undefined,
    onLeave: () => void,
  ): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const leave = (reason: unknown) => {
      if (!this.#waiting.delete(caller)) return;
      reject(reason);
      onLeave();
    };
    const caller = { accept, link, resolve, reject, leave };
    const onAbort = () => leave(signal?.reason);
    this.#waiting.add(caller);
    if (signal?.aborted) onAbort();
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      return await promise;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /** The error of a type that no caller accepts; undefined if one does. */
  refusalOf(mimetype: string): UnacceptableTypeError | undefined {
    const accepted = [...this.#accepted];
    return this.#acceptsAll || isInRanges(mimetype, accepted)
      ? undefined
      : new UnacceptableTypeError(mimetype, accepted);
  }

  /** Ends the wait of each caller that does not accept a type. */
  refuse(mimetype: string): void {
    for (const { accept, leave } of [...this.#waiting]) {
      if (accept === undefined || isInRanges(mimetype, accept)) continue;
      this.#parts.counters.unacceptable++;
      leave(new UnacceptableTypeError(mimetype, accept));
    }
  }

  /** Picks the link of another caller if the origin refuses one; undefined if none may serve. */
  nextLink(refused: CallerLink, error: unknown): CallerLink | undefined {
    const next = this.#links?.next(refused, error);
    if (next !== undefined) this.#parts.counters.failedOver++;
    return next;
  }

  /** Reports the progress to callers. */
  progress(received: number, total: number | undefined): void {
    for (const { onProgress, signal } of this.#watchers) {
      if (signal?.aborted) continue;
      callSafely(() => onProgress?.({ received, total }));
    }
  }

  /** Reports no more progress: unread Media keep the task, but not the listeners. */
  endProgress(): void {
    this.#watchers.clear();
  }

  /** Resolves each wait with a result of its own, made by `make`. */
  resolve(make: () => T): void {
    for (const { resolve } of this.#waiting) resolve(make());
    this.#waiting.clear();
  }

  /** Rejects each wait, by the failure of the caller's own link if that was tried. */
  reject(error: unknown): void {
    const links = this.#links;
    for (const { link, reject } of this.#waiting) {
      reject(link && links ? links.errorOf(link.url, error) : error);
    }
    this.#waiting.clear();
  }
}
