/** The guard under real permissions: the whole network or none, and --deny-net as a second wall. */
import { assert, assertEquals } from "@std/assert";
import { runProgram } from "../fixtures/processes/program.ts";
import { Origin } from "../fixtures/servers/origin.ts";

const manual = await Deno.readTextFile(
  new URL("../../src/guard/README.md", import.meta.url),
);

/** The flags of the manual, with the ranges that are denied. */
const [, DENY_NET = ""] = manual.match(/"(--deny-net=\S+)"/) ?? [];

const IMPORTS = `
import { ForbiddenAddressError, guard } from "${
  import.meta.resolve("../../src/guard/guard.ts")
}";
import { makeGuard } from "${
  import.meta.resolve("../../src/guard/guarded_fetch.ts")
}";
const told = (promise) => promise.then(
  async (response) => ["text", await response.text()],
  ({ name, message, cause }) => [name, message + (cause?.message ?? "")],
);
const tell = async (promise) => console.log(JSON.stringify(await told(promise)));
`;

/** Runs a program with flags alone, and returns what it tells. */
async function tellings(
  program: string,
  flags: string[],
): Promise<[string, string][]> {
  const results = await runProgram(IMPORTS + program, {
    flags: ["--allow-read", ...flags],
  });
  return results as [string, string][];
}

Deno.test("without --allow-net, or with a list, a guard rejects at once and says so", async () => {
  await using origin = new Origin();
  const url = origin.on("/", () => new Response("meow"));
  const { host } = new URL(url);
  const program = `
    using guarded = guard({ exempt: ["${host}"] });
    await tell(guarded("${url}"));
    await tell(guarded("http://1.1.1.1/"));`;

  for (const flags of [[], [`--allow-net=${host},1.1.1.1:80`]]) {
    for (const [name, message] of await tellings(program, flags)) {
      assertEquals(name, "NotCapable");
      assert(message.includes("--allow-net without a list"), message);
    }
  }

  assertEquals(origin.requests("/"), 0);
  const [text] = await tellings(program.replace(/.*1\.1\.1\.1.*/, ""), [
    "--allow-net",
  ]);
  assertEquals(text, ["text", "meow"]);
});

Deno.test("the --deny-net of the manual stops what goes past the guard, and an exempt host", async () => {
  await using origin = new Origin();
  const url = origin.on("/", () => new Response("meow"));
  const { host, port } = new URL(url);

  const results = await tellings(
    `using guarded = guard({ exempt: ["${host}", "localhost:${port}"] });
    using blind = makeGuard({}, {
      resolve: () => Promise.resolve(["10.1.2.3"]),
      isPublic: () => true,
    });
    await tell(guarded("${url}"));
    await tell(guarded("http://localhost:${port}/"));
    await tell(blind("http://blind.test/secret"));
    for (const host of ["127.0.0.1:${port}", "localhost:${port}", "127.1:${port}",
      "0:${port}", "[::1]:${port}", "[::]:${port}", "[::ffff:127.0.0.1]:${port}",
      "10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1"]) {
      await tell(fetch("http://" + host + "/", { signal: AbortSignal.timeout(20_000) }));
    }`,
    ["--allow-net", DENY_NET],
  );

  const passed = results.filter(([name, message]) =>
    name !== "NotCapable" && !/Requires net access|deny-net/.test(message)
  );
  assertEquals(passed, []);
  const [, , blind] = results;
  assertEquals(blind?.[1].includes("Cannot fetch from blind.test"), true);
  assertEquals(blind?.[1].includes("10.1.2.3"), false);
  assertEquals(origin.requests("/"), 0);
});

Deno.test("README.md has the command of the manual, which allows the folder of the cache", async () => {
  const readme = await Deno.readTextFile(
    new URL("../../README.md", import.meta.url),
  );
  const [command = ""] = manual.match(/^deno run [^]*? bot\.ts$/m) ?? [];
  assert(DENY_NET.length > 100, DENY_NET);
  const flags =
    "--allow-read=media_cache --allow-write=media_cache --allow-net \\\n  ";
  assertEquals(command, `deno run ${flags}"${DENY_NET}" bot.ts`);
  assert(readme.includes(command), command);
});

Deno.test("the guard needs no permission but --allow-net", async () => {
  const [refused] = await tellings(
    `using guarded = guard();
    await tell(guarded("http://localhost/"));`,
    ["--allow-net", "--deny-env", "--deny-sys", "--deny-run", "--deny-write"],
  );
  assertEquals(refused?.[0], "ForbiddenAddressError");
});
