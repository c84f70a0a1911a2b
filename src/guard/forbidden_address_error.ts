import { MediaCacheError } from "../core/api/errors.ts";

/**
 * Thrown by the `fetch` of {@linkcode guard} for a URL that it refuses: an address that
 * is not public, another port or scheme, or a user name or password in the URL. Nothing
 * was sent to that host.
 *
 * The message names no more than the host: no address that the name leads to, no path and
 * no query.
 *
 * @example Tell a stranger that the URL is refused
 * ```ts
 * import { ForbiddenAddressError, guard } from "@media-cache/media-cache/guard";
 * import { assertRejects } from "@std/assert";
 *
 * using guarded = guard();
 *
 * await assertRejects(() => guarded("http://127.1/admin"), ForbiddenAddressError);
 * ```
 */
export class ForbiddenAddressError extends MediaCacheError {
  /**
   * Creates the error.
   *
   * @param message The host, the rule, and which part of the URL breaks it.
   */
  constructor(message: string) {
    super(message);
    this.name = "ForbiddenAddressError";
  }
}
