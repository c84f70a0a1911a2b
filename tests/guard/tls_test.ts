/** TLS through a pinned address: the name of the URL is sent, and the certificate is checked against it. */
import { assert, assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { runProgram } from "../fixtures/processes/program.ts";

const TLS = new URL("../fixtures/guard/tls/", import.meta.url);

/** Passes connections on to a server, and tells the names in their first bytes. */
class NameRelay implements AsyncDisposable {
  readonly names: string[] = [];
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #serving: Promise<void>;

  constructor(target: number) {
    this.#serving = this.#serve(target);
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#serving;
  }

  async #serve(port: number): Promise<void> {
    const running: Promise<void>[] = [];
    for await (const client of this.#listener) {
      running.push(this.#relay(client, port));
    }
    await Promise.all(running);
  }

  async #relay(client: Deno.TcpConn, port: number): Promise<void> {
    using server = await Deno.connect({ hostname: "127.0.0.1", port });
    const first = new Uint8Array(4_096);
    const length = await client.read(first) ?? 0;
    const text = new TextDecoder("latin1").decode(first);
    this.names.push(text.match(/\w+\.test/)?.[0] ?? "none");
    await server.write(first.subarray(0, length));
    const ends = [
      server.readable.pipeTo(client.writable),
      client.readable.pipeTo(server.writable),
    ];
    await Promise.allSettled(ends);
  }
}

/** Fetches each host in a process of its own, by a guard to which loopback is public. */
async function fetchHosts(
  port: number,
  hosts: string[],
  env: Record<string, string>,
): Promise<unknown[]> {
  return await runProgram(
    `import { makeGuard } from "${
      import.meta.resolve("../../src/guard/guarded_fetch.ts")
    }";
    using guarded = makeGuard({ ports: [${port}] }, {
      resolve: () => Promise.resolve(["127.0.0.1"]),
      isPublic: () => true,
    });
    for (const host of ${JSON.stringify(hosts)}) {
      const result = await guarded(\`https://\${host}:${port}/secret\`)
        .then((response) => response.text(), ({ code, message }) => [code, message]);
      console.log(JSON.stringify(result));
    }`,
    { env },
  );
}

Deno.test("a pinned address keeps the name in TLS, and the certificate must be that of the name", async () => {
  const [cert, key] = await Promise.all(
    ["server.pem", "server.key"].map((file) =>
      Deno.readTextFile(new URL(file, TLS))
    ),
  );
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, cert: cert!, key: key!, onListen() {} },
    ({ url }) => new Response(new URL(url).host),
  );
  await using relay = new NameRelay(server.addr.port);
  const { port } = relay;
  const hosts = [
    ...["secure.test", "other.test", "secure.test."],
    ...["wrong.test", "127.0.0.1"],
  ];

  const trusting = await fetchHosts(port, hosts, {
    DENO_CERT: fromFileUrl(new URL("ca.pem", TLS)),
  });
  const [doubting] = await fetchHosts(port, ["secure.test"], {});

  assertEquals(trusting.slice(0, 3), [
    `secure.test:${port}`,
    `other.test:${port}`,
    `secure.test.:${port}`,
  ]);
  assertEquals(relay.names, [
    ...["secure.test", "other.test", "secure.test", "wrong.test", "none"],
    "secure.test",
  ]);
  for (const failure of [...trusting.slice(3), doubting]) {
    const [code, message] = failure as [string, string];
    assertEquals(code, "ERR_TLS_CERT_INVALID");
    assert(!message.includes("secret"), message);
  }
});
