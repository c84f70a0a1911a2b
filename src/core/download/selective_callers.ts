import { UnacceptableTypeError } from "../api/errors.ts";
import { isInRanges } from "../text/media_ranges.ts";
import type { Counters } from "../api/stats.ts";

/** The download whose callers these are. */
export interface SelectedDownload {
  /** Whether a caller has joined that accepts every type. */
  readonly acceptsAll: boolean;
  /** The type of what the origin sends, once it is certain. */
  readonly originType: string | undefined;
  /** Ends the download: no caller accepts its type. */
  end(reason: UnacceptableTypeError): void;
}

/** A caller that waits, and how its wait is ended. */
interface Waiting {
  readonly accept: readonly string[];
  readonly refusal: AbortController;
}

/**
 * The callers of a download that accept some types only. The others that share the
 * download notice nothing of a refusal.
 */
export class SelectiveCallers {
  readonly #download: SelectedDownload;
  readonly #counters: Pick<Counters, "unacceptable">;
  /** The callers that wait, by the signals of their waits. */
  readonly #waiting = new Map<AbortSignal, Waiting>();
  /** The ranges of all callers, also of those that have left: the body is stored for them, too. */
  readonly #accepted = new Set<string>();

  constructor(
    download: SelectedDownload,
    counters: Pick<Counters, "unacceptable">,
  ) {
    this.#download = download;
    this.#counters = counters;
  }

  /**
   * Adds a caller.
   *
   * @param accept The media ranges that it accepts.
   * @param signal The caller's own signal.
   * @returns A signal that ends the caller's wait: by its own signal, or by a refusal.
   */
  add(accept: readonly string[], signal: AbortSignal | undefined): AbortSignal {
    const refusal = new AbortController();
    const signals = signal === undefined ? [] : [signal];
    const wait = AbortSignal.any([...signals, refusal.signal]);
    this.#waiting.set(wait, { accept, refusal });
    for (const range of accept) this.#accepted.add(range);
    const { originType } = this.#download;
    if (originType !== undefined) this.refuse(originType);
    return wait;
  }

  /** Removes a caller that waits no more. */
  leave(wait: AbortSignal): void {
    this.#waiting.delete(wait);
  }

  /**
   * Refuses a type to each waiting caller that does not accept it, and ends the download
   * if no caller does.
   */
  refuse(mimetype: string): void {
    const refused = [...this.#waiting.values()]
      .filter(({ accept }) => !isInRanges(mimetype, accept));
    const isWanted = this.#download.acceptsAll ||
      isInRanges(mimetype, [...this.#accepted]);
    // Ended first, so that no caller joins it any more.
    if (!isWanted) {
      const all = [...this.#accepted];
      this.#download.end(new UnacceptableTypeError(mimetype, all));
    }
    for (const { accept, refusal } of refused) {
      if (refusal.signal.aborted) continue;
      this.#counters.unacceptable++;
      refusal.abort(new UnacceptableTypeError(mimetype, accept));
    }
  }
}
