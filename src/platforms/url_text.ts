import { type IsGone, withoutParameters } from "./query.ts";

/** Parts of a canonical URL in place of those of the given URL. */
export interface UrlChange {
  /** Host name, with a port if it needs one. */
  readonly host?: string;
  /** Path, which begins with a slash. */
  readonly path?: string;
  /** Tells the parameters that go; none by default. */
  readonly isGone?: IsGone;
  /**
   * Whether user name and password stay; false by default. No platform selects media
   * by them, so they only prove a right. A server of unknown operator may select by
   * them.
   */
  readonly keepsUser?: boolean;
}

/** Whether a URL is one that a web server answers. */
export function isWeb(url: URL): boolean {
  return url.protocol === "https:" || url.protocol === "http:";
}

/**
 * The host name of a URL that leads to the usual port of HTTP or HTTPS, else
 * undefined. A server at another port is not the platform's, nor is a host name with
 * a dot at its end, whose certificate nobody checks alike.
 */
export function webHost(url: URL): string | undefined {
  return isWeb(url) && url.port === "" ? url.hostname : undefined;
}

/**
 * Writes a URL with changes. The scheme stays: whoever can forge answers to `http:`
 * must not choose the bytes of the `https:` URL. The fragment goes: no server sees it.
 */
export function textOf(url: URL, change: UrlChange = {}): string {
  const { host = url.host, path = url.pathname, isGone = () => false } = change;
  const search = withoutParameters(url.search, isGone);
  const user = change.keepsUser ? userOf(url) : "";
  return `${url.protocol}//${user}${host}${path}${search}`;
}

function userOf({ username, password }: URL): string {
  if (username === "" && password === "") return "";
  return password === "" ? `${username}@` : `${username}:${password}@`;
}
