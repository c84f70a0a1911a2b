/** Name of the query parameter with another path of the router. */
export const TO = "to";

/**
 * Returns a link from the dashboard to another path of the router: the
 * dashboard's own address with a query. Such links hold wherever the router is
 * mounted, with and without a slash at the end, and where a framework or a
 * proxy removes the path of the mount.
 */
export function linkTo(path: string): string {
  return `?${TO}=${path}`;
}

/**
 * Returns the request, a GET or HEAD, that such a link stands for; undefined
 * for the page itself.
 */
export function followed(request: Request): Request | undefined {
  const url = new URL(request.url);
  const path = url.searchParams.get(TO);
  if (path === null) return undefined;
  url.searchParams.delete(TO);
  url.pathname = `/${path.replace(/^\/+/, "")}`;
  const { method, headers } = request;
  const linked = new Request(url, { method, headers });
  // Read only when needed: reading the signal makes Deno warn.
  const signal = { get: () => request.signal };
  return Object.defineProperty(linked, "signal", signal);
}
