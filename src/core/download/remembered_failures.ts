import type { ResolvedFailures } from "../api/failure_options.ts";
import { keyOf } from "../text/key.ts";

/** A failure that is remembered. */
interface Failure {
  readonly error: unknown;
  /** The key of the media, which several URLs may name. */
  readonly key: string;
  /** When the failure is forgotten, by the clock. */
  readonly until: number;
}

/** The most failures that are remembered. */
const MAX_FAILURES = 10_000;

/**
 * The failures of the last downloads, by the hash of the URL that was asked for: a link that
 * has failed shuts out no other link to the same media.
 */
export class RememberedFailures {
  readonly #ttl: ResolvedFailures["failureTtlMs"];
  readonly #now: () => number;
  /** By the keys of the URLs, the oldest failure first. */
  readonly #failures = new Map<string, Failure>();

  /**
   * @param ttl For how long a failure is remembered, in milliseconds.
   * @param now The clock, in milliseconds.
   */
  constructor(
    ttl: ResolvedFailures["failureTtlMs"],
    now: () => number = () => performance.now(),
  ) {
    this.#ttl = ttl;
    this.#now = now;
  }

  /** Remembers failures as an option says; undefined where it says never. */
  static by(
    ttl: ResolvedFailures["failureTtlMs"],
  ): RememberedFailures | undefined {
    return ttl === 0 ? undefined : new RememberedFailures(ttl);
  }

  /** Finds the failure of a URL; undefined where none is remembered any more. */
  find(url: string): { readonly error: unknown } | undefined {
    if (this.#failures.size === 0) return undefined;
    const urlKey = keyOf(url);
    const failure = this.#failures.get(urlKey);
    if (failure === undefined || this.#now() < failure.until) return failure;
    this.#failures.delete(urlKey);
    return undefined;
  }

  /**
   * Remembers a failure for as long as the option says.
   *
   * @param url The URL that was asked for.
   * @param key The key of the media.
   */
  add(url: string, key: string, error: unknown): void {
    const ttlMs = this.#ttlOf(error);
    if (ttlMs <= 0) return;
    const urlKey = keyOf(url);
    this.#failures.delete(urlKey);
    this.#failures.set(urlKey, { error, key, until: this.#now() + ttlMs });
    const [oldest] = this.#failures.keys();
    if (this.#failures.size > MAX_FAILURES && oldest !== undefined) {
      this.#failures.delete(oldest);
    }
  }

  /** Forgets the failures of all URLs of a media. */
  forget(key: string): void {
    for (const [urlKey, failure] of this.#failures) {
      if (failure.key === key) this.#failures.delete(urlKey);
    }
  }

  /** Forgets all failures. */
  clear(): void {
    this.#failures.clear();
  }

  #ttlOf(error: unknown): number {
    if (typeof this.#ttl === "number") return this.#ttl;
    try {
      const ttlMs: unknown = this.#ttl(error);
      return typeof ttlMs === "number" && ttlMs > 0 ? ttlMs : 0;
    } catch {
      return 0; // the caller gets the error of its download in any case
    }
  }
}
