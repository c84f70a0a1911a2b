/** Connections that are made, refused or given up. */
import { assertEquals, assertRejects } from "@std/assert";
import { openConnection } from "../../src/http1/open_connection.ts";

const HOST = { hostname: "127.0.0.1", tlsName: undefined };

Deno.test("a connection carries bytes both ways until it is closed", async () => {
  using listener = Deno.listen({ hostname: HOST.hostname, port: 0 });
  const { port } = listener.addr;

  const connection = await openConnection({ ...HOST, port }, undefined);
  using accepted = await listener.accept();
  assertEquals(await connection.send(new TextEncoder().encode("hi")), true);
  const bytes = new Uint8Array(9);
  assertEquals(await accepted.read(bytes), 2);
  await accepted.write(bytes.subarray(0, 2));
  assertEquals(await connection.receive(), new TextEncoder().encode("hi"));
  connection.close();
  assertEquals(await accepted.read(bytes), null);
  assertEquals(await connection.send(bytes), false);
});

Deno.test("an abort before, or while, a connection is made rejects and leaves no connection", async () => {
  using listener = Deno.listen({ hostname: HOST.hostname, port: 0 });
  const { port } = listener.addr;
  const enough = new Error("enough");
  const before = AbortSignal.abort(enough);
  const leaving = new AbortController();

  const calls = [before, leaving.signal].map((signal) =>
    assertRejects(
      () => openConnection({ ...HOST, port }, signal),
      Error,
      "enough",
    )
  );
  leaving.abort(enough);

  await Promise.all(calls);
});

Deno.test("a port that nobody listens on rejects with the error of the system", async () => {
  const listener = Deno.listen({ hostname: HOST.hostname, port: 0 });
  const { port } = listener.addr;
  listener.close();

  await assertRejects(
    () => openConnection({ ...HOST, port }, undefined),
    Deno.errors.ConnectionRefused,
  );
});
