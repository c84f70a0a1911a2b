import { textOf, webHost } from "./url_text.ts";

/** The prefix of every token of Slack: `xoxb-`, `xoxe-`, `xoxe.xoxp-`, `xapp-`, `xwfp-`, … */
const TOKEN_REGEXP = /^(?:xox[a-z][.-]|xapp-|xwfp-)/;

/**
 * Files of Slack. `pub_secret`, which opens a file to everybody, and parameters that
 * hold a token (`t=xoxe-…` in exports) go. Path and name stay, `download/` included,
 * which asks for another Content-Disposition; every other parameter stays too.
 *
 * Sources: https://docs.slack.dev/reference/objects/file-object (`url_private`,
 * thumbnails, public URLs), https://docs.slack.dev/authentication/tokens.
 *
 * @param url The URL.
 * @returns The canonical URL, or undefined for other hosts.
 *
 * @example A file of an export
 * ```ts
 * import { platforms, slack } from "@media-cache/media-cache/platforms";
 * import { assertEquals } from "@std/assert";
 *
 * const file = "https://files.slack.com/files-pri/T04MC-F04MA/image.png";
 *
 * assertEquals(platforms(slack)(`${file}?t=xoxe-4726-4848-e0b1`), file);
 * ```
 */
export function slack(url: URL): string | undefined {
  if (webHost(url) !== "files.slack.com") return undefined;
  return textOf(url, {
    isGone: ({ name, value }) =>
      name === "pub_secret" || TOKEN_REGEXP.test(value),
  });
}
