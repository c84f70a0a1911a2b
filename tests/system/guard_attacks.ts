/**
 * Attacks on a bare `fetch` and on `guard()`, in a network of its own: run by
 * `guard_attacks_test.ts`. The network has one public address, loopback, and a name server
 * on port 53, all on this machine; nothing of the guard is replaced.
 *
 * Prints a line of JSON: each attack with what `fetch` and the guard reached.
 */
// deno-lint-ignore-file no-console
import { createSocket } from "node:dgram";
import { ForbiddenAddressError, guard } from "../../src/guard/guard.ts";
import { LOOPBACK_HOSTS } from "../fixtures/guard/spellings.ts";

const PUBLIC = "93.184.216.34";

/** The answers of each name: addresses or another name; the last counts for ever. */
const ZONE: Record<string, string[][]> = {
  "public.test": [[PUBLIC]],
  "loopback.test": [["127.0.0.1"]],
  "six.test": [["::1"]],
  "mapped.test": [["::ffff:127.0.0.1"]],
  "mixed.test": [[PUBLIC, "127.0.0.1"]],
  "alias.test": [["loopback.test"]],
  "alias-of-public.test": [["public.test"]],
  "any.test": [["0.0.0.0"]],
  "empty.test": [[]],
};

/** Names that are asked for by `fetch` and by the guard, so that each begins anew. */
for (const who of ["fetch", "guard"]) {
  ZONE[`rebind.${who}.test`] = [[PUBLIC], ["127.0.0.1"]];
  ZONE[`once.${who}.test`] = [[PUBLIC], ["127.0.0.1"]];
}

const TYPES: Record<string, number> = { A: 1, CNAME: 5, AAAA: 28 };

function nameBytes(name: string): number[] {
  return [
    ...name.split(".").flatMap((label) => [
      label.length,
      ...new TextEncoder().encode(label),
    ]),
    0,
  ];
}

function addressBytes(address: string): number[] {
  if (!address.includes(":")) return address.split(".").map(Number);
  const { hostname } = new URL(`http://[${address}]`);
  const [head = "", tail = ""] = hostname.slice(1, -1).split("::");
  const parts = (text: string) => text === "" ? [] : text.split(":");
  const [before, after] = [parts(head), parts(tail)];
  const zeros = Array(8 - before.length - after.length).fill("0");
  return [...before, ...zeros, ...after].flatMap((part) => {
    const value = Number.parseInt(part, 16);
    return [value >> 8, value & 255];
  });
}

/** Answers of a name that were used up by a query for IPv4 addresses. */
const taken = new Map<string, number>();

/** The records of a name, with those of the names that it stands for. */
function records(name: string, type: number): number[][] {
  const answers = ZONE[name] ?? [];
  const at = Math.min(taken.get(name) ?? 0, answers.length - 1);
  // Both queries of a lookup, for IPv4 and IPv6, belong to the same answer.
  if (type === TYPES["A"]) taken.set(name, at + 1);
  return (answers[at] ?? []).flatMap((value) => {
    const own = [...nameBytes(name)];
    const record = (kind: number, data: number[]) => [
      ...own,
      ...[0, kind, 0, 1, 0, 0, 0, 0, data.length >> 8, data.length & 255],
      ...data,
    ];
    if (value in ZONE) {
      return [
        record(TYPES["CNAME"]!, nameBytes(value)),
        ...records(value, type),
      ];
    }
    const kind = value.includes(":") ? TYPES["AAAA"]! : TYPES["A"]!;
    return kind === type ? [record(kind, addressBytes(value))] : [];
  });
}

const dns = createSocket("udp4");
dns.on(
  "message",
  (query: Uint8Array, from: { port: number; address: string }) => {
    const labels: string[] = [];
    let at = 12;
    for (let length = query[at]!; length > 0; length = query[at]!) {
      labels.push(
        new TextDecoder().decode(query.subarray(at + 1, at + 1 + length)),
      );
      at += length + 1;
    }
    const type = query[at + 1]! * 256 + query[at + 2]!;
    const name = labels.join(".").toLowerCase();
    const found = records(name, type);
    const code = name in ZONE ? 0 : 3;
    dns.send(
      Uint8Array.from([
        ...query.subarray(0, 2),
        ...[0x81, 0x80 + code, 0, 1, 0, found.length, 0, 0, 0, 0],
        ...query.subarray(12, at + 5),
        ...found.flat(),
      ]),
      from.port,
      from.address,
    );
  },
);
await new Promise<void>((resolve) => dns.bind(53, "127.0.0.1", resolve));

/** A server that tells the address of its client; `/go` redirects to its query. */
function serve(hostname: string) {
  return Deno.serve(
    { hostname, port: 80, onListen() {} },
    ({ url }, { remoteAddr }) => {
      const { pathname, search } = new URL(url);
      if (pathname !== "/go") return new Response(remoteAddr.hostname);
      const headers = { Location: decodeURIComponent(search.slice(1)) };
      return new Response(null, { status: 302, headers });
    },
  );
}

const servers = ["0.0.0.0", "::1"].map(serve);

/**
 * The host that a call reaches, and the address on this machine: a connection to one of
 * its own addresses comes from the same; or the error.
 */
async function reached(
  get: typeof fetch,
  urls: string[],
): Promise<string> {
  let last = "";
  for (const url of urls) {
    try {
      const response = await get(url, { signal: AbortSignal.timeout(20_000) });
      const { hostname } = new URL(response.url);
      last = `reached ${hostname} at ${await response.text()}`;
    } catch (error) {
      return error instanceof ForbiddenAddressError
        ? "refused"
        : `failed: ${Reflect.get(error as object, "code") ?? error}`;
    }
  }
  return last;
}

using guarded = guard();
const attacks: [string, (who: string) => string[]][] = [
  ...LOOPBACK_HOSTS.map((host): [string, () => string[]] => [
    `http://${host}/`,
    () => [`http://${host}/`],
  ]),
  ...Object.keys(ZONE).filter((name) => !/^(?:rebind|once)/.test(name))
    .map((name): [string, () => string[]] => [
      `http://${name}/`,
      () => [`http://${name}/`],
    ]),
  ["before rebinding", (who) => [`http://once.${who}.test/`]],
  ["rebinding", (who) => Array(2).fill(`http://rebind.${who}.test/`)],
  ...["http://127.1/", "http://[::1]/", "//mixed.test/", "/", "//alias.test/"]
    .map((to): [string, () => string[]] => [
      `redirect to ${to}`,
      () => [`http://public.test/go?${encodeURIComponent(to)}`],
    ]),
  ["http:\\\\127.1", () => ["http:\\\\127.1"]],
  ["no such name", () => ["http://gone.test/"]],
];

const table: Record<string, { fetch: string; guard: string }> = {};
for (const [attack, urls] of attacks) {
  table[attack] = {
    fetch: await reached(fetch, urls("fetch")),
    guard: await reached(guarded, urls("guard")),
  };
}
console.log(JSON.stringify(table));
dns.close();
await Promise.all(servers.map((server) => server.shutdown()));
Deno.exit();
