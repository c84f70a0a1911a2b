import type { DownloadInfo } from "../api/download.ts";
import type { ResolvedOptions } from "../api/options.ts";
import { DownloadTimeoutError } from "../api/errors.ts";
import { Deadline } from "../async/deadline.ts";

/** A followed download, as its time limits see it. */
export interface Followed {
  /** The present step. */
  readonly info: Pick<DownloadInfo, "phase">;
  /** Ends the following: the bytes don't come soon enough. */
  lose(reason: unknown): void;
}

/**
 * The time limits of a download that follows other processes, one after the other. At the
 * idle limit the followed download is lost, and at the limit in all everything ends.
 */
export class FollowDeadline {
  readonly #deadline: Deadline;
  #followed: Followed | undefined;

  /** Starts both clocks; `controller` ends the download. */
  constructor(
    { idleTimeoutMs, timeoutMs }: Pick<
      ResolvedOptions,
      "idleTimeoutMs" | "timeoutMs"
    >,
    controller: AbortController,
  ) {
    this.#deadline = new Deadline(idleTimeoutMs, timeoutMs, (kind, limitMs) => {
      const error = new DownloadTimeoutError(limitMs, kind);
      if (kind === "total") controller.abort(error);
      this.#followed?.lose(error);
    });
  }

  /** Starts the idle clock anew: this followed download has shown that it lives. */
  alive(followed: Followed): void {
    this.#followed = followed;
    this.#deadline.alive();
    const { phase } = followed.info;
    // As for an own download, the time after the last byte does not count.
    this.#deadline.countsTotal = phase !== "converting" && phase !== "storing";
  }

  /** Stops the clocks. */
  stop(): void {
    this.#deadline.stop();
  }
}
