import { firstLine } from "./bucket.ts";

/** Numbers of a host. */
export interface HostNumbers {
  /** Lookups that the host answered by itself. */
  readonly hits: number;
  /** Its misses that an object of the bucket answered. */
  readonly remoteHits: number;
  /** Its misses that it downloaded. */
  readonly downloads: number;
}

/** Options of {@linkcode DemoHost.start}. */
export interface DemoHostOptions {
  /** The folder of the cache. */
  readonly dir: string;
  /** The host and port that the proxy may fetch from. */
  readonly origin: string;
  /** The password of the dashboard. */
  readonly token: string;
  /** The variables by which the host finds the bucket. */
  readonly environment: Record<string, string>;
}

/** A process that stands for a host: `examples/stats_server.ts` with a folder of its own. */
export class DemoHost implements AsyncDisposable {
  /** The address of the dashboard. */
  readonly dashboard: string;
  readonly #process: Deno.ChildProcess;
  readonly #token: string;

  private constructor(
    process: Deno.ChildProcess,
    dashboard: string,
    token: string,
  ) {
    this.#process = process;
    this.dashboard = dashboard;
    this.#token = token;
  }

  /**
   * Starts a host, and waits until it listens.
   *
   * @throws {Error} If it ends before.
   */
  static async start(options: DemoHostOptions): Promise<DemoHost> {
    const { dir, origin, token, environment } = options;
    const server = new URL("../stats_server.ts", import.meta.url);
    const process = new Deno.Command(Deno.execPath(), {
      args: ["run", "--allow-all", server.href],
      env: {
        ...environment,
        ...{ MEDIA_CACHE_DIR: dir, MEDIA_CACHE_TOKEN: token },
        ...{ PROXY_HOSTS: origin, PROXY_EXEMPT: origin },
        ...{ HOST: "127.0.0.1", PORT: "0" },
      },
      stdin: "null",
      stdout: "piped",
      // Ctrl-C ends the demo, which then ends its hosts.
      detached: true,
    }).spawn();
    const dashboard = await firstLine(process.stdout);
    if (dashboard !== undefined) return new DemoHost(process, dashboard, token);
    await process.status;
    throw new Error("A host has not started");
  }

  /** Wants a medium, as a chat of this host does. */
  async want(url: string, signal: AbortSignal): Promise<void> {
    const proxied = new URL("/proxy", this.dashboard);
    proxied.searchParams.set("url", url);
    const response = await fetch(proxied, { signal });
    await response.bytes();
    if (!response.ok) throw new Error(`A host answered ${response.status}`);
  }

  /** The numbers of the host. */
  async numbers(): Promise<HostNumbers> {
    const { hits, misses, coalesced, remote } = await this.#stats();
    const remoteHits = remote?.hits ?? 0;
    return { hits, remoteHits, downloads: misses - coalesced - remoteHits };
  }

  /** Waits until nothing is to be uploaded any more. */
  async uploaded(): Promise<void> {
    while (((await this.#stats()).remote?.uploads_queued ?? 0) > 0) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Ends the process, which lets downloads and uploads finish. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGTERM");
    } catch {
      // The host has ended by itself.
    }
    await this.#process.status;
  }

  async #stats(): Promise<Stats> {
    const headers = { Authorization: `Bearer ${this.#token}` };
    const response = await fetch(`${this.dashboard}/stats`, { headers });
    return (await response.json()).media_cache;
  }
}

/** The members of `/stats` that the demo shows. */
interface Stats {
  readonly hits: number;
  readonly misses: number;
  readonly coalesced: number;
  readonly remote?: {
    readonly hits: number;
    readonly "uploads_queued": number;
  };
}
