/**
 * Names the URL that stands for all URLs of the same media on one platform.
 *
 * A rule is pure and never throws. It returns undefined for URLs that are not its
 * own. Its result is a fixed point: the rule leaves it as it is, or does not accept
 * it. What selects bytes, type or name stays in the result; what only proves a right
 * or a time goes. Two URLs that may serve different bytes have different results.
 *
 * @param url The URL, which the rule must not change.
 * @returns The canonical URL, or undefined.
 */
export type PlatformRule = (url: URL) => string | undefined;
