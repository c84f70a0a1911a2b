const FIRST_MS = 60_000;
const LONGEST_MS = 3_600_000;

/**
 * A pause in which ffmpeg is not started, since it could not be, or has failed on a GIF of the
 * cache's own. It lasts a minute at first, twice as long each time, an hour at most.
 */
export class FfmpegPause {
  #waitMs = FIRST_MS;
  #endsAt = -Infinity;

  /** Whether the pause lasts. */
  get isOn(): boolean {
    return performance.now() < this.#endsAt;
  }

  /** Begins a pause, and returns its length in milliseconds. */
  begin(): number {
    const waitMs = this.#waitMs;
    this.#endsAt = performance.now() + waitMs;
    this.#waitMs = Math.min(2 * waitMs, LONGEST_MS);
    return waitMs;
  }

  /** Ends the pause; the next pause is a minute again. */
  end(): void {
    this.#waitMs = FIRST_MS;
    this.#endsAt = -Infinity;
  }
}
