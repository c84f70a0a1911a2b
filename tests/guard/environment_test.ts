/** Proxies that the environment names, and hosts that it takes away from them. */
import { assert, assertEquals } from "@std/assert";
import { runProgram } from "../fixtures/processes/program.ts";

const PROGRAM = `
import { guard } from "${import.meta.resolve("../../src/guard/guard.ts")}";
import { makeGuard } from "${
  import.meta.resolve("../../src/guard/guarded_fetch.ts")
}";
const tell = async (promise) => console.log(JSON.stringify(await promise.then(
  async (response) => ["text", await response.text()],
  ({ name, message }) => [name, message],
)));
`;

/** A server that tells the URL of each request, so that a proxy tells the host. */
function echo() {
  const urls: string[] = [];
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    ({ url }) => {
      urls.push(url);
      return new Response(url);
    },
  );
  return {
    urls,
    port: server.addr.port,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

async function tellings(
  program: string,
  env: Record<string, string>,
  flags = ["-A"],
): Promise<[string, string][]> {
  const none = {
    ...{ HTTP_PROXY: "", HTTPS_PROXY: "", ALL_PROXY: "", NO_PROXY: "" },
    // Deno itself would ask the proxy for its newest version.
    DENO_NO_UPDATE_CHECK: "1",
  };
  return await runProgram(PROGRAM + program, {
    flags,
    env: { ...none, ...env },
  }) as [string, string][];
}

Deno.test("where a variable names a proxy, a guard rejects and names the variable", async () => {
  await using proxy = echo();
  const variables = [
    ...["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"],
    ...["http_proxy", "https_proxy", "all_proxy"],
  ];
  const results = await tellings(
    `using guarded = guard();
    for (const variable of ${JSON.stringify(variables)}) {
      Deno.env.set(variable, "http://127.0.0.1:${proxy.port}");
      await tell(guarded("http://example.org/"));
      Deno.env.set(variable, "");
    }`,
    {},
  );
  for (const [i, variable] of variables.entries()) {
    assertEquals(results[i]?.[0], "TypeError");
    const message = results[i]?.[1] ?? "";
    assert(message.includes(`${variable} must not be set`), message);
  }
  assertEquals(proxy.urls, []);
});

Deno.test("a proxy that is trusted gets names, and neither private addresses nor hosts of NO_PROXY", async () => {
  await using proxy = echo();
  await using inner = echo();
  const results = await tellings(
    `using guarded = guard({ proxy: "trusted", ports: [80, ${inner.port}] });
    for (const host of ["example.org", "1.1.1.1", "10.0.0.1", "[::1]",
      "direct.test", "sub.direct.test", "localhost:${inner.port}"]) {
      await tell(guarded("http://" + host + "/"));
    }`,
    {
      HTTP_PROXY: `http://127.0.0.1:${proxy.port}`,
      NO_PROXY: ".direct.test, localhost",
    },
  );

  const kinds = results.map(([name, message]) =>
    message.includes("NO_PROXY must not name") ? "NO_PROXY" : name
  );
  assertEquals(kinds, [
    ...["text", "text", "ForbiddenAddressError", "ForbiddenAddressError"],
    ...["NO_PROXY", "NO_PROXY", "NO_PROXY"],
  ]);
  assertEquals(proxy.urls, ["http://example.org/", "http://1.1.1.1/"]);
  assertEquals(inner.urls, []);
});

Deno.test("a proxy that is trusted needs to know the hosts of NO_PROXY", async () => {
  await using proxy = echo();
  const [result] = await tellings(
    `using guarded = guard({ proxy: "trusted" });
    await tell(guarded("http://example.org/"));`,
    { HTTP_PROXY: `http://127.0.0.1:${proxy.port}` },
    ["--allow-read", "--allow-net", "--allow-env=HTTP_PROXY"],
  );
  assertEquals(result?.[0], "NotCapable");
  assert(result?.[1].includes("--allow-env=NO_PROXY"), result?.[1]);
  assertEquals(proxy.urls, []);
});

Deno.test("a guard that may not read the environment pins the address, and uses no proxy", async () => {
  await using proxy = echo();
  await using server = echo();
  const [result] = await tellings(
    `using guarded = makeGuard({ ports: [${server.port}], proxy: "trusted" }, {
      resolve: () => Promise.resolve(["127.0.0.1"]),
      isPublic: () => true,
    });
    await tell(guarded("http://pinned.test:${server.port}/"));`,
    {
      HTTP_PROXY: `http://127.0.0.1:${proxy.port}`,
      ALL_PROXY: `http://127.0.0.1:${proxy.port}`,
    },
    ["--allow-read", "--allow-net"],
  );
  assertEquals(result, ["text", `http://pinned.test:${server.port}/`]);
  assertEquals(proxy.urls, []);
});

Deno.test("NO_PROXY does not take a name away from the guard, whether it may read it or not", async () => {
  await using server = echo();
  const { port } = server;
  // Deno itself would find the server; the guard's answer leads elsewhere.
  const program = `using guarded = makeGuard({ ports: [${port}] }, {
      resolve: () => Promise.resolve(["127.0.0.2"]),
      isPublic: () => true,
    });
    await tell(guarded("http://localhost:${port}/"));`;
  for (const NO_PROXY of ["*", "localhost", ".localhost,127.0.0.0/8"]) {
    for (const flags of [["-A"], ["--allow-read", "--allow-net"]]) {
      const [byName] = await tellings(program, { NO_PROXY }, flags);
      assertEquals(byName?.[0], "TypeError", NO_PROXY);
    }
  }
  assertEquals(server.urls, []);
});

Deno.test("an exempt host is reached where NO_PROXY names it", async () => {
  await using server = echo();
  const { port } = server;
  const [result] = await tellings(
    `using guarded = guard({ exempt: ["localhost:${port}"] });
    await tell(guarded("http://localhost:${port}/"));`,
    { NO_PROXY: "localhost,127.0.0.1" },
  );
  assertEquals(result, ["text", `http://localhost:${port}/`]);
});
