// node:crypto and not @std/crypto: a key is made on every lookup, and the
// one-shot hash of node:crypto takes 1.5 µs where Web Crypto, which @std/crypto
// wraps, takes 59 µs (measured with 80-byte URLs).
import { hash } from "node:crypto";

/** What a key looks like: SHA-256 as 64 lower-case hexadecimal digits. */
export const KEY_REGEXP: RegExp = /^[0-9a-f]{64}$/;

let last = { url: "", key: hash("sha256", "", "hex") };

/**
 * The key of a URL, which names its files on disk. Remembers the last one, since
 * a call that needs it mostly needs it several times.
 */
export function keyOf(url: string): string {
  if (url !== last.url) last = { url, key: hash("sha256", url, "hex") };
  return last.key;
}
