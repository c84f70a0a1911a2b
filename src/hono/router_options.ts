import { OptionCheck } from "../core/api/option_check.ts";

/** Options of {@linkcode statsRouter}: access to more than numbers. */
export interface StatsRouterOptions {
  /**
   * Token that opens the router: sent as `Authorization: Bearer TOKEN`, or as
   * the password, with any user name, that a browser asks for. All endpoints
   * but `/healthz` are then closed to others. It consists of letters, digits
   * and `-._~+/` (RFC 6750); make it long and random.
   */
  token?: string;
  /**
   * "trusted" opens all endpoints to everybody who reaches the router, so its
   * owner must guard the way to it. Without this and without a token the router
   * serves numbers only.
   */
  access?: "trusted";
}

/** The resolved options. */
export type Access =
  | { readonly kind: "numbers" }
  | { readonly kind: "trusted" }
  | { readonly kind: "token"; readonly token: string };

// The characters that a Bearer header can carry (RFC 6750 §2.1).
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
  // `token: undefined` most likely comes from a variable that is not set.
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
