/** `guard()` and a bare `fetch` under attack, with a real name server and a real public address. */
import { assert, assertEquals, assertGreater } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { tempDir } from "../fixtures/directory/temp_dir.ts";

/** The public address of this machine, in the network of the test. */
const ADDRESS = "93.184.216.34";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));

/** The names and redirects that lead to public addresses, and nowhere else. */
const PUBLIC = new Map([
  ["http://public.test/", "public.test"],
  ["http://alias-of-public.test/", "alias-of-public.test"],
  ["redirect to /", "public.test"],
  ["before rebinding", "once.guard.test"],
]);

/** Names without an address. */
const NOWHERE = [
  ...["http://empty.test/", "no such name"],
  "http://localhost./",
];

Deno.test("guard() reaches no address that is not public, where a bare fetch does", async () => {
  await using temp = await tempDir();
  const resolver = join(temp.path, "resolv.conf");
  await Deno.writeTextFile(resolver, "nameserver 127.0.0.1\n");
  const run = [
    "ip link set lo up",
    `ip addr add ${ADDRESS}/32 dev lo`,
    `mount --bind ${resolver} /etc/resolv.conf`,
    `exec "${Deno.execPath()}" run -A --no-check tests/system/guard_attacks.ts`,
  ];

  const { success, stdout, stderr } = await new Deno.Command("unshare", {
    args: ["--net", "--mount", "sh", "-c", run.join(" && ")],
    cwd: ROOT,
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
  }).output();

  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assert(success, text(stderr));
  const table = JSON.parse(text(stdout)) as Record<
    string,
    { fetch: string; guard: string }
  >;
  const wrong = Object.entries(table).filter(([attack, { guard }]) =>
    NOWHERE.includes(attack)
      ? !/^failed: E|^refused/.test(guard)
      : guard !== (PUBLIC.has(attack)
        ? `reached ${PUBLIC.get(attack)} at ${ADDRESS}`
        : "refused")
  );
  assertEquals(wrong, []);
  const byFetch = Object.entries(table).filter(([, { fetch }]) =>
    fetch.startsWith("reached") && !fetch.endsWith(ADDRESS)
  );
  // The attacks are real: this many reach loopback without the guard.
  assertGreater(byFetch.length, 30);
});
