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
  if (typeof options !== "object" || options === null) {
    throw new TypeError(invalid("options", "an object", options));
  }
  const unknown = Object.keys(options).find((name) => !KNOWN.has(name));
  if (unknown !== undefined) {
    throw new TypeError(
      invalid("options", "token or access", `the name ${unknown}`),
    );
  }
  const { token, access } = options;
  if (access !== undefined) {
    if (token !== undefined) {
      throw new TypeError(invalid("options", "token or access", "both"));
    }
    if (access === "trusted") return { kind: "trusted" };
    throw new RangeError(invalid("access", '"trusted"', access));
  }
  // `token: undefined` is most likely a variable that nobody has set.
  if (!("token" in options)) return { kind: "numbers" };
  if (typeof token !== "string") {
    throw new TypeError(invalid("token", "a string", typeof token));
  }
  if (TOKEN_REGEXP.test(token)) return { kind: "token", token };
  throw new RangeError(
    `Cannot build router: token must be one or more letters, digits or -._~+/: received ${
      token === "" ? "none" : "others"
    }`,
  );
}

const KNOWN: ReadonlySet<string> = new Set(["token", "access"]);

function invalid(name: string, wanted: string, value: unknown): string {
  return `Cannot build router: ${name} must be ${wanted}: received ${
    String(value)
  }`;
}
