/**
 * Rules for `canonicalUrl`: the same media of a platform is one entry, whatever its
 * signature, host or token, and no secret of a URL reaches the disk.
 *
 * @example Two links to an attachment, one entry
 * ```ts
 * import { MediaCache } from "@media-cache/media-cache";
 * import { platforms } from "@media-cache/media-cache/platforms";
 * import { assert } from "@std/assert";
 *
 * await using cache = await MediaCache.open({
 *   cacheDir: await Deno.makeTempDir(),
 *   canonicalUrl: platforms(),
 * });
 * const file = "https://cdn.discordapp.com/attachments/10/20/cat.png";
 *
 * await cache.put(`${file}?ex=1&is=2&hm=3`, new Uint8Array(9), "image/png", "cat.png");
 *
 * assert(await cache.has(`${file}?ex=4&is=5&hm=6`));
 * ```
 *
 * @module
 */
import { discord } from "./discord.ts";
import { facebook } from "./facebook.ts";
import { giphy } from "./giphy.ts";
import { instagram } from "./instagram.ts";
import { klipy } from "./klipy.ts";
import { matrix } from "./matrix.ts";
import type { PlatformRule } from "./platform_rule.ts";
import { reddit } from "./reddit.ts";
import { signedStores } from "./signed_stores.ts";
import { slack } from "./slack.ts";
import { telegram } from "./telegram.ts";
import { tenor } from "./tenor.ts";
import { tumblr } from "./tumblr.ts";
import { twitter } from "./twitter.ts";
import { whatsapp } from "./whatsapp.ts";

export {
  discordRefresh,
  type DiscordRefreshOptions,
} from "./discord_refresh.ts";
export {
  type TelegramFile,
  telegramFile,
  type TelegramFileOptions,
  type TelegramFiles,
} from "./telegram_file.ts";
export {
  type Refresh,
  type RefreshContext,
  withRefresh,
} from "./with_refresh.ts";
export {
  discord,
  facebook,
  giphy,
  instagram,
  klipy,
  matrix,
  type PlatformRule,
  reddit,
  signedStores,
  slack,
  telegram,
  tenor,
  tumblr,
  twitter,
  whatsapp,
};

/** All rules; those that take any host are the last. */
const ALL: readonly PlatformRule[] = [
  ...[discord, tenor, klipy, giphy, twitter, reddit, tumblr],
  ...[instagram, facebook, whatsapp, slack],
  ...[telegram, matrix(), signedStores],
];

/**
 * How often a result goes through the rules again. A URL that two rules accept needs
 * two rounds, and one to see that nothing changes.
 */
const MAX_ROUNDS = 8;

/**
 * Makes the function for the option `canonicalUrl`. The first rule that gives a result
 * decides; the result goes through the rules again until it stays. A URL that no rule
 * accepts, and a string that is no URL, is returned as it is.
 *
 * @param rules The rules in their order; without any, all rules of this module, with
 * `matrix()` for homeservers that have the name of their media.
 * @returns The function from a URL to the URL that stands for it.
 * @throws {TypeError} If a rule is not a function.
 *
 * @example A rule of one's own beside others
 * ```ts
 * import { discord, type PlatformRule, platforms } from "@media-cache/media-cache/platforms";
 * import { assertEquals } from "@std/assert";
 *
 * const avatars: PlatformRule = (url) =>
 *   url.hostname === "avatars.example.org" ? url.origin + url.pathname : undefined;
 *
 * const canonical = platforms(discord, avatars);
 *
 * assertEquals(canonical("https://avatars.example.org/7?t=5"), "https://avatars.example.org/7");
 * assertEquals(canonical("https://example.org/?t=5"), "https://example.org/?t=5");
 * ```
 */
export function platforms(
  ...rules: readonly PlatformRule[]
): (url: string) => string {
  for (const rule of rules) {
    if (typeof rule !== "function") {
      throw new TypeError(
        `Cannot use rules: each must be a function: received ${typeof rule}`,
      );
    }
  }
  const used = rules.length === 0 ? ALL : rules;
  return (given) => {
    let text = given;
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const next = resultOf(text, used);
      if (next === undefined || next === text) break;
      text = next;
    }
    return text;
  };
}

function resultOf(
  text: string,
  rules: readonly PlatformRule[],
): string | undefined {
  const url = URL.parse(text);
  if (url === null) return undefined;
  for (const rule of rules) {
    const result = rule(url);
    if (result !== undefined) return result;
  }
  return undefined;
}
