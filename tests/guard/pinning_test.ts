/** The address that is checked is the one that is connected to. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { ForbiddenAddressError } from "../../src/guard/guard.ts";
import { makeGuard } from "../../src/guard/guarded_fetch.ts";
import { IdleConnections } from "../../src/guard/idle_connections.ts";
import {
  INTERNET,
  LoopbackNetwork,
} from "../fixtures/guard/loopback_network.ts";
import { FakeTime } from "../fixtures/time/fake_time.ts";
import { Tap } from "../fixtures/bodies/tap.ts";

/** A server that tells the host, the path and the number of its connections. */
function hostServer(hostname = INTERNET, port = 0) {
  const hosts: (string | null)[] = [];
  const connections = new Set<number>();
  const server = Deno.serve(
    { hostname, port, onListen() {} },
    (request, { remoteAddr }) => {
      hosts.push(request.headers.get("host"));
      connections.add(remoteAddr.port);
      return new Response(`hello from ${hostname}`);
    },
  );
  return {
    port: server.addr.port,
    hosts,
    connections,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

Deno.test("a name is resolved once, by the guard, and its host stays in the request", async () => {
  await using server = hostServer();
  const { port } = server;
  const network = new LoopbackNetwork({ "a.test": [[INTERNET]] });
  using guarded = makeGuard({ ports: [port] }, network);

  const response = await guarded(`http://A.test:${port}/x#part`);

  assertEquals(await response.text(), `hello from ${INTERNET}`);
  assertEquals(response.url, `http://a.test:${port}/x`);
  assertEquals(network.asked, ["a.test"]);
  assertEquals(server.hosts, [`a.test:${port}`]);
});

Deno.test("a name that leads to a public address first, and to loopback then, reaches no second server", async () => {
  await using server = hostServer();
  const { port } = server;
  await using inner = hostServer("::1", port);
  const network = new LoopbackNetwork({ "rebind.test": [[INTERNET], ["::1"]] });
  using guarded = makeGuard({ ports: [port] }, network);
  const url = `http://rebind.test:${port}/`;

  assertEquals(await (await guarded(url)).text(), `hello from ${INTERNET}`);
  for (let i = 0; i < 3; i++) {
    await assertRejects(() => guarded(url), ForbiddenAddressError);
  }

  assertEquals([server.hosts.length, inner.hosts], [1, []]);
});

Deno.test("one private answer refuses the name, wherever it stands and however it is written", async () => {
  await using server = hostServer();
  const { port } = server;
  const answers = [
    [INTERNET, "::1"],
    ["::1", INTERNET],
    ["1.1.1.1", "2606:4700::1111", "10.0.0.1"],
    ["::ffff:10.0.0.1"],
    ["fe80::1%eth0"],
    [INTERNET, "2606:4700::1%lo"],
    ["64:ff9b::a00:1", INTERNET],
    ["not an address"],
    [INTERNET, ""],
    ["127.1"],
  ];
  const network = new LoopbackNetwork({ "mixed.test": answers });
  using guarded = makeGuard({ ports: [port] }, network);

  for (const answer of answers) {
    const { message } = await assertRejects(
      () => guarded(`http://mixed.test:${port}/`),
      ForbiddenAddressError,
      "mixed.test",
    );
    assert(!answer.some((each) => each && message.includes(each)), message);
  }

  assertEquals(server.hosts, []);
});

Deno.test("a name without an address, and a name server that fails, reject with a code", async () => {
  using empty = makeGuard({}, new LoopbackNetwork({}));
  using failing = makeGuard({}, {
    resolve: () =>
      Promise.reject(
        Object.assign(new Error("queryA ESERVFAIL"), { code: "ESERVFAIL" }),
      ),
    isPublic: () => true,
  });

  for (
    const [guarded, code] of [[empty, "ENOTFOUND"], [
      failing,
      "ESERVFAIL",
    ]] as const
  ) {
    const error = await assertRejects(
      () => guarded("http://gone.test/secret?secret"),
      TypeError,
      "Cannot find gone.test",
    );
    assertEquals(Reflect.get(error, "code"), code);
  }
});

Deno.test("the names of the system lead to this machine, and are refused", async () => {
  await using server = hostServer();
  using guarded = makeGuard({ ports: [server.port] });
  await assertRejects(
    () => guarded(`http://localhost:${server.port}/`),
    ForbiddenAddressError,
  );
  for (const name of ["localhost.", "a.localhost", Deno.hostname()]) {
    // Some systems know no such name, and a machine may have a public one.
    await assertRejects(() => guarded(`http://${name}:${server.port}/`), Error);
  }
  assertEquals(server.hosts, []);
});

Deno.test("connections are kept for the same host, and never used for another at the same address", async () => {
  await using server = hostServer();
  const { port } = server;
  const names = ["a.test", "b.test", "c.a.test"];
  const network = new LoopbackNetwork(
    Object.fromEntries(names.map((name) => [name, [[INTERNET]]])),
  );
  using guarded = makeGuard({ ports: [port] }, network);

  for (let round = 0; round < 3; round++) {
    for (const name of names) {
      await (await guarded(`http://${name}:${port}/`)).text();
    }
  }

  assertEquals(server.hosts.length, 9);
  assertEquals(server.connections.size, names.length);
});

Deno.test("the next address is tried when the first can't be reached, and an open connection is preferred", async () => {
  await using server = hostServer();
  const { port } = server;
  // Nothing listens there.
  const network = {
    ...new LoopbackNetwork({}),
    resolve: () => Promise.resolve(["127.0.0.2", "127.0.0.3", INTERNET]),
    isPublic: () => true,
  };
  using guarded = makeGuard({ ports: [port] }, network);
  const url = `http://many.test:${port}/`;

  for (let i = 0; i < 3; i++) {
    assertEquals(await (await guarded(url)).text(), `hello from ${INTERNET}`);
  }

  assertEquals(server.connections.size, 1);
});

Deno.test("an address that does not connect in time is followed by the next, and the last may take its time", async () => {
  // Takes connections, and never answers TLS.
  using silent = Deno.listen({ hostname: "127.0.0.2", port: 0 });
  const { port } = silent.addr;
  const network = {
    ...new LoopbackNetwork({}),
    resolve: () => Promise.resolve(["127.0.0.2", "127.0.0.3"]),
    isPublic: () => true,
  };
  using guarded = makeGuard({ ports: [port] }, network, 50);
  const url = `https://many.test:${port}/`;

  // Nothing listens at the second address.
  await assertRejects(() => guarded(url), TypeError, "refused");
  using _first = await silent.accept();

  network.resolve = () => Promise.resolve(["127.0.0.3", "127.0.0.2"]);
  const leaving = new AbortController();
  const request = guarded(url, { signal: leaving.signal });
  using _second = await silent.accept();
  leaving.abort(new Error("enough"));
  await assertRejects(() => request, Error, "enough");
});

Deno.test("a host that can't be reached rejects with its code, and without the URL", async () => {
  const { port } = hostServerOnce();
  const network = new LoopbackNetwork({ "down.test": [[INTERNET]] });
  using guarded = makeGuard({ ports: [port] }, network);

  const error = await assertRejects(
    () => guarded(`http://down.test:${port}/secret?secret`),
    TypeError,
    `Cannot fetch from down.test:${port}: `,
  );

  assertEquals(Reflect.get(error, "code"), "ECONNREFUSED");
  assert(!Deno.inspect(error).includes("secret"), Deno.inspect(error));
});

/** A port where nothing listens any more. */
function hostServerOnce(): { port: number } {
  using listener = Deno.listen({ hostname: INTERNET, port: 0 });
  return { port: listener.addr.port };
}

/** A connection that tells whether it is closed. */
class FakeConnection {
  isClosed = false;
  close(): void {
    this.isClosed = true;
  }
}

Deno.test("a connection is closed 30 s after its last response, and holds no process", () => {
  using time = new FakeTime();
  using idle = new IdleConnections<FakeConnection>();
  const [first, second] = [new FakeConnection(), new FakeConnection()];

  idle.put("a", first);
  time.tick(20_000);
  idle.put("b", second);
  time.tick(5_000);
  assertEquals(idle.take("a"), first);
  assertEquals(idle.take("a"), undefined);
  idle.put("a", first);
  assertEquals([time.timers, time.urgentTimers], [1, 0]);

  time.tick(24_999);
  assertEquals([first.isClosed, second.isClosed], [false, false]);
  time.tick(1);
  assertEquals([first.isClosed, second.isClosed], [false, true]);
  time.tick(5_000);
  assertEquals([first.isClosed, idle.size], [true, 0]);
  assertEquals([time.timers, time.urgentTimers], [0, 0]);
});

Deno.test("64 connections are kept, the last used ones, and none by a disposed guard", () => {
  using time = new FakeTime();
  using idle = new IdleConnections<FakeConnection>();
  const all = Array.from({ length: 66 }, () => new FakeConnection());
  for (const [i, each] of all.slice(0, 64).entries()) idle.put(`${i}`, each);
  idle.put("0", idle.take("0")!);

  idle.put("64", all[64]!);

  const closed = all.map(({ isClosed }, i) => isClosed ? i : -1)
    .filter((i) => i >= 0);
  assertEquals([closed, idle.size], [[1], 64]);
  idle[Symbol.dispose]();
  idle.put("65", all[65]!);
  assertEquals(all.filter(({ isClosed }) => !isClosed), []);
  assertEquals(time.timers, 0);
});

Deno.test("a body goes on to its end when the guard is disposed", async () => {
  const tap = new Tap();
  await using server = Deno.serve(
    { hostname: INTERNET, port: 0, onListen() {} },
    () => new Response(tap.readable),
  );
  const { port } = server.addr;
  const network = new LoopbackNetwork({ "slow.test": [[INTERNET]] });
  const guarded = makeGuard({ ports: [port] }, network);
  tap.write(new Uint8Array(1_000));
  const response = await guarded(`http://slow.test:${port}/`);

  guarded[Symbol.dispose]();
  tap.write(new Uint8Array(1_000));
  tap.end();

  assertEquals((await response.bytes()).length, 2_000);
});
