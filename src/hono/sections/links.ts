/** The query that names another path of the router. */
export const TO = "to";

/**
 * A link from the dashboard to another path of the router: the dashboard's own
 * address with a query. So links hold wherever the router is mounted, with and
 * without a slash at the end, and where a framework or a proxy takes the mount's
 * path away before the router sees it.
 */
export function linkTo(path: string): string {
  return `?${TO}=${path}`;
}

/** The request, a GET or HEAD, that such a link stands for; undefined for the page itself. */
export function followed(request: Request): Request | undefined {
  const url = new URL(request.url);
  const path = url.searchParams.get(TO);
  if (path === null) return undefined;
  url.searchParams.delete(TO);
  url.pathname = `/${path.replace(/^\/+/, "")}`;
  const { method, headers } = request;
  const linked = new Request(url, { method, headers });
  // Passed on when it is looked at: having looked at it makes Deno warn.
  const signal = { get: () => request.signal };
  return Object.defineProperty(linked, "signal", signal);
}
