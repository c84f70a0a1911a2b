/**
 * A `fetch` for URLs that strangers wrote: it connects to public addresses alone, so that
 * nobody makes a bot read what only its own network may read.
 *
 * @example A downloader for URLs from strangers
 * ```ts
 * import { MediaCache } from "@media-cache/media-cache";
 * import { ForbiddenAddressError, guard } from "@media-cache/media-cache/guard";
 * import { assertRejects } from "@std/assert";
 *
 * await using cache = await MediaCache.open({ cacheDir: await Deno.makeTempDir() });
 * using guarded = guard();
 * const download = (url: string) =>
 *   cache.getOrDownload(url, ({ url, signal, headers }) => guarded(url, { signal, headers }));
 *
 * await assertRejects(() => download("http://169.254.169.254/"), ForbiddenAddressError);
 * ```
 *
 * @module
 */
import type { GuardOptions } from "./guard_options.ts";
import { makeGuard } from "./guarded_fetch.ts";

export { ForbiddenAddressError } from "./forbidden_address_error.ts";
export type { GuardOptions };

/**
 * Makes a `fetch` that connects to public addresses alone.
 *
 * For each URL, and for each redirect, it checks scheme, port and host. It resolves the
 * name, refuses it if one of its addresses is not public, and connects to an address that
 * it has checked: another answer of the name server comes too late. Name and certificate
 * stay those of the URL.
 *
 * The result takes what `fetch` takes, but for `client`, and differs in this:
 * - It speaks HTTP/1.1, asks for bodies without a coding, and decodes none.
 * - Redirects are followed `maxRedirects` times. `Authorization`, `Cookie` and
 *   `Proxy-Authorization` go to no other origin, subdomains included.
 * - A body that comes in a `Request` counts as a stream: it is not sent again after a
 *   redirect of status 301, 302, 307 or 308.
 * - The clone of a response has neither `url` nor `redirected`; the response itself has
 *   both.
 * - No message holds a URL.
 *
 * It rejects with
 * - a {@linkcode ForbiddenAddressError} for a URL that it refuses, or whose redirect it
 *   refuses;
 * - a TypeError if the request fails, as that of `fetch`; its `code` names the reason
 *   where that is known, such as `ECONNREFUSED`;
 * - a TypeError if the environment names a proxy, unless `proxy` is `"trusted"`;
 * - `Deno.errors.NotCapable` without `--allow-net`, or with a list of hosts, or if
 *   `--deny-net` forbids the address; it never prompts;
 * - the reason of `signal`, which also ends the wait for the name server.
 *
 * Disposing it closes its connections; requests that run go on.
 *
 * @param options The ports, the exempt hosts and the limits.
 * @returns The `fetch`.
 * @throws {TypeError} If an option is unknown or has a wrong type.
 * @throws {RangeError} If the value of an option is not allowed.
 *
 * @example A server of one's own beside it
 * ```ts
 * import { ForbiddenAddressError, guard } from "@media-cache/media-cache/guard";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * await using api = Deno.serve(
 *   { port: 0, hostname: "127.0.0.1", onListen() {} },
 *   () => new Response("meow"),
 * );
 * const { port } = api.addr;
 * using guarded = guard({ exempt: [`127.0.0.1:${port}`] });
 *
 * const response = await guarded(`http://127.0.0.1:${port}/`);
 * assertEquals(await response.text(), "meow");
 * await assertRejects(() => guarded(`http://localhost:${port}/`), ForbiddenAddressError);
 * ```
 */
export function guard(options: GuardOptions = {}): typeof fetch & Disposable {
  return makeGuard(options);
}
