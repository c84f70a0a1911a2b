/** Variables by which Deno's `fetch` finds a proxy. */
const PROXY_VARIABLES = [
  ...["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY"],
  ...["all_proxy", "https_proxy", "http_proxy"],
];

/** Variables with hosts that Deno's `fetch` reaches without a proxy; the first counts. */
const DIRECT_VARIABLES = ["NO_PROXY", "no_proxy"];

/**
 * Checks that the whole network is allowed, without a prompt. The check of each host would
 * not do: the permission is asked for its address as well.
 *
 * @throws {Deno.errors.NotCapable} If it is not.
 */
export function requireNetwork(): void {
  const { state } = Deno.permissions.querySync({ name: "net" });
  if (state === "granted") return;
  throw new Deno.errors.NotCapable(
    "Cannot fetch: guard() needs --allow-net without a list, since the addresses of hosts are asked for, too: received a list, or no --allow-net",
  );
}

/**
 * Returns the variable that names a proxy, if one does. A variable that the program may not
 * read counts as absent: the guard connects by itself then.
 */
export function proxyVariable(): string | undefined {
  return PROXY_VARIABLES.find((name) => read(name) !== undefined);
}

/**
 * Tells whether Deno's `fetch` reaches a host past the proxy, because NO_PROXY names it.
 *
 * @throws {Deno.errors.NotCapable} If the program may not read the variable.
 */
export function isPastProxy(hostname: string): boolean {
  if (!DIRECT_VARIABLES.every(isReadable)) {
    throw new Deno.errors.NotCapable(
      "Cannot fetch through a proxy: the guard needs --allow-env=NO_PROXY,no_proxy to see which hosts go past it",
    );
  }
  const hosts = DIRECT_VARIABLES.map(read).find((each) => each !== undefined);
  return (hosts ?? "").split(",").map((each) => each.trim().toLowerCase())
    .filter((each) => each !== "").some((each) =>
      each === "*" || `.${hostname}`.endsWith(`.${each.replace(/^\./, "")}`)
    );
}

function read(name: string): string | undefined {
  // An empty variable names nothing.
  return (isReadable(name) && Deno.env.get(name)) || undefined;
}

function isReadable(variable: string): boolean {
  return Deno.permissions.querySync({ name: "env", variable }).state ===
    "granted";
}
