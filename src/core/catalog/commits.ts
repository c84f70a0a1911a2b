/**
 * The commit that runs now. While an entry is replaced its sidecar is not there,
 * and a lookup of that moment would find nothing: it waits instead.
 */
export class Commits {
  #running: { url: string; ended: Promise<unknown> } | undefined;

  /** Runs the commit of a URL; one at a time. */
  async run<T>(url: string, commit: () => Promise<T>): Promise<T> {
    const ended = commit();
    this.#running = { url, ended };
    try {
      return await ended;
    } finally {
      this.#running = undefined;
    }
  }

  /** Whether the URL is being committed. */
  has(url: string): boolean {
    return this.#running?.url === url;
  }

  /** Waits until the URL is not being committed, whatever came of it. */
  async ended(url: string): Promise<void> {
    while (this.#running?.url === url) {
      await this.#running.ended.catch(() => {});
    }
  }
}
