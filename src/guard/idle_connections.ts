import type { Connection } from "../http1/connection.ts";

/** How long a connection is kept without a request, in milliseconds. */
const IDLE_MS = 30_000;

/** The most connections that are kept. */
const MAX_IDLE = 64;

interface Idle {
  readonly key: string;
  readonly connection: Pick<Connection, "close">;
  /** The time at which it became idle, by `performance.now()`. */
  readonly since: number;
}

/** Connections that wait for the next request to the same origin and address. */
export class IdleConnections<
  C extends Pick<Connection, "close"> = Connection,
> implements Disposable {
  /** The longest unused one is the first. */
  readonly #idle: (Idle & { readonly connection: C })[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isDisposed = false;

  /** The number of connections. */
  get size(): number {
    return this.#idle.length;
  }

  /** Tells whether a connection waits. */
  has(key: string): boolean {
    return this.#idle.some((each) => each.key === key);
  }

  /** Takes a connection out, the last used one. */
  take(key: string): C | undefined {
    const at = this.#idle.findLastIndex((each) => each.key === key);
    return at < 0 ? undefined : this.#idle.splice(at, 1)[0]?.connection;
  }

  /** Keeps a connection. */
  put(key: string, connection: C): void {
    if (this.#isDisposed) return connection.close();
    this.#idle.push({ key, connection, since: performance.now() });
    if (this.#idle.length > MAX_IDLE) this.#idle.shift()?.connection.close();
    this.#wait();
  }

  /** Closes all connections, and each that is put from now on. */
  [Symbol.dispose](): void {
    this.#isDisposed = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const { connection } of this.#idle.splice(0)) connection.close();
  }

  /** Waits until the longest unused connection is due. */
  #wait(): void {
    const [oldest] = this.#idle;
    if (this.#timer !== undefined || oldest === undefined) return;
    const waitMs = oldest.since + IDLE_MS - performance.now();
    const timer = setTimeout(() => this.#sweep(), Math.max(0, waitMs));
    // Connections that nobody uses keep no process alive.
    Deno.unrefTimer(timer);
    this.#timer = timer;
  }

  #sweep(): void {
    this.#timer = undefined;
    const due = performance.now() - IDLE_MS;
    while (this.#idle[0] !== undefined && this.#idle[0].since <= due) {
      this.#idle.shift()?.connection.close();
    }
    this.#wait();
  }
}
