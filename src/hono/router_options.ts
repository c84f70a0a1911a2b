import { OptionCheck } from "../core/api/option_check.ts";

/** Options of {@linkcode statsRouter}: who may see more than numbers. */
export interface StatsRouterOptions {
  /**
   * Lets those in who know it, as `Authorization: Bearer TOKEN`, or as the
   * password, with any user name, that a browser asks for. Everything but
   * `/healthz` is then closed to others. Letters, digits and `-._~+/` (RFC 6750);
   * make it long and random.
   */
  token?: string;
  /**
   * "trusted" opens everything to all who reach the router: its owner guards
   * the way to it. Without this and without a token it serves numbers only.
   */
  access?: "trusted";
}

/** Who may see what. */
export type Access =
  | { readonly kind: "numbers" }
  | { readonly kind: "trusted" }
  | { readonly kind: "token"; readonly token: string };

// What a Bearer header can carry (RFC 6750 §2.1).
const TOKEN_REGEXP = /^[\w.~+/-]+=*$/;

/**
 * Checks the options.
 *
 * @throws {TypeError} If an option is of the wrong type, or both are given.
 * @throws {RangeError} If an option has a value that can't be used.
 */
export function resolveAccess(options: StatsRouterOptions): Access {
  const check = new OptionCheck("build router");
  check.object("options", options);
  const { token, access, ...others } = options;
  check.nothingLeft(others);
  if (access !== undefined) {
    if (token !== undefined) {
      throw check.error(TypeError, "options", "token or access", "both");
    }
    return { kind: check.choice("access", access, ["trusted"]) };
  }
  // `token: undefined` is most likely a variable that nobody has set.
  if (!("token" in options)) return { kind: "numbers" };
  // No message shows a token.
  if (typeof token !== "string") {
    throw check.error(TypeError, "token", "a string", typeof token);
  }
  if (TOKEN_REGEXP.test(token)) return { kind: "token", token };
  const wanted = "one or more letters, digits or -._~+/";
  const received = token === "" ? "none" : "others";
  throw check.error(RangeError, "token", wanted, received);
}
