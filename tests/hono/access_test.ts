import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { keyOf } from "../../src/core/text/key.ts";
import { pattern } from "../fixtures/bodies/bytes.ts";
import { mounted, statusOf } from "../fixtures/servers/mounted.ts";

const TOKEN = "s3cret-token";
const BEARER = { Authorization: `Bearer ${TOKEN}` };
const MEDIA = `/media/${keyOf("a:")}`;
const CLOSED = ["", "/stats", "/metrics", "/entries", MEDIA, "/preview/x"];

Deno.test("without options the numbers are served, and nothing else", async () => {
  await using router = await mounted();
  await router.cache.put("a:", pattern(3), "image/png", "a.png");

  for (const path of ["", "/stats", "/metrics", "/healthz"]) {
    assertEquals(await statusOf(router.ask(path)), 200, path);
  }
  for (const path of ["/entries", MEDIA, `/preview/${keyOf("a:")}`, "/x"]) {
    assertEquals(await statusOf(router.ask(path)), 404, path);
  }
  const deletion = router.ask(MEDIA, { method: "DELETE" });
  assertEquals(await statusOf(deletion), 404);
  assertEquals(router.cache.stats().entries, 1);
});

Deno.test("with a token only /healthz is open", async () => {
  await using router = await mounted({ token: TOKEN });

  assertEquals(await statusOf(router.ask("/healthz")), 200);
  for (const path of CLOSED) {
    assertEquals(await statusOf(router.ask(path)), 401, path);
  }
  assertEquals(await statusOf(router.ask(MEDIA, { method: "DELETE" })), 401);
});

Deno.test("no HTTP method passes the token, or shows whether an entry exists", async () => {
  await using router = await mounted({ token: TOKEN });
  await router.cache.put("a:", pattern(3), "image/png", "a.png");
  const unknown = `/media/${keyOf("b:")}`;
  const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
  for (const method of methods) {
    for (const path of [...CLOSED, `/view/${keyOf("a:")}`]) {
      const status = await statusOf(router.ask(path, { method }));
      assert(status === 401 || status === 404, `${method} ${path} ${status}`);
    }
    assertEquals(
      await statusOf(router.ask(MEDIA, { method })),
      await statusOf(router.ask(unknown, { method })),
    );
  }
  assertEquals(router.cache.stats().entries, 1);
});

Deno.test("the token is accepted as Bearer, and as a password with any user name", async () => {
  await using router = await mounted({ token: TOKEN });
  const basic = (user: string, password: string) => ({
    Authorization: `Basic ${btoa(`${user}:${password}`)}`,
  });

  for (
    const headers of [
      BEARER,
      { Authorization: `bearer  ${TOKEN}` },
      basic("", TOKEN),
      basic("admin", TOKEN),
    ]
  ) assertEquals(await statusOf(router.ask("/stats", { headers })), 200);
  for (
    const headers of [
      { Authorization: "Bearer" },
      { Authorization: "Bearer " },
      { Authorization: "Bearer wrong" },
      { Authorization: `Bearer ${TOKEN}x` },
      { Authorization: `Bearer ${TOKEN} ${TOKEN}` },
      { Authorization: `Token ${TOKEN}` },
      { Authorization: TOKEN },
      { Authorization: "Basic ?" },
      basic(TOKEN, ""),
      basic("admin", `${TOKEN}x`),
    ]
  ) {
    assertEquals(
      await statusOf(router.ask("/stats", { headers })),
      401,
      JSON.stringify(headers),
    );
  }
});

Deno.test("a 401 offers both schemes and shows nothing of the cache", async () => {
  await using router = await mounted({ token: TOKEN });

  const response = await router.ask("/stats");

  assertEquals(await response.text(), "Unauthorized\n");
  assertEquals(response.headers.get("Cache-Control"), "no-store");
  const challenge = response.headers.get("WWW-Authenticate") ?? "";
  assertStringIncludes(challenge, 'Basic realm="Media cache"');
  assertStringIncludes(challenge, 'Bearer realm="Media cache"');
});

Deno.test("with the token or trusted, everything is served", async () => {
  for (const options of [{ token: TOKEN }, { access: "trusted" } as const]) {
    await using router = await mounted(options);
    await router.cache.put("a:", pattern(3), "image/png", "a.png");
    const headers = "token" in options ? BEARER : {};
    const ask = (path: string, method = "GET") =>
      statusOf(router.ask(path, { method, headers }));

    for (const path of ["", "/stats", "/metrics", "/entries", MEDIA]) {
      assertEquals(await ask(path), 200, path);
    }
    assertEquals(await ask("/nothing"), 404);
    assertEquals(await ask(MEDIA, "DELETE"), 204);
  }
});

Deno.test("a page of another origin can change nothing", async () => {
  await using router = await mounted({ token: TOKEN });
  await router.cache.put("a:", pattern(3), "image/png", "a.png");
  const { origin, port } = new URL(router.url);
  const remove = (given: string) =>
    statusOf(
      router.ask(MEDIA, {
        method: "DELETE",
        headers: { ...BEARER, Origin: given },
      }),
    );

  for (
    const foreign of [
      "https://evil.example",
      "null",
      `http://127.0.0.1:${Number(port) + 1}`,
      `${origin}.evil.example`,
      "",
    ]
  ) assertEquals(await remove(foreign), 403, foreign);
  assertEquals(router.cache.stats().entries, 1);

  assertEquals(await remove(origin), 204);
});

Deno.test("behind a proxy that ends TLS, the host of Origin decides", async () => {
  await using router = await mounted({ access: "trusted" });
  await router.cache.put("a:", pattern(3), "image/png", "a.png");
  const { host } = new URL(router.url);

  const response = router.ask(MEDIA, {
    method: "DELETE",
    headers: { Origin: `https://${host}` },
  });

  assertEquals(await statusOf(response), 204);
});
