/** What `guard()` refuses on this machine, and its options. */
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { MediaCache, MediaCacheError } from "../../mod.ts";
import { ForbiddenAddressError, guard } from "../../src/guard/guard.ts";
import { LOOPBACK_HOSTS, PRIVATE_HOSTS } from "../fixtures/guard/spellings.ts";
import { Origin } from "../fixtures/servers/origin.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";

const SECRET = "t0p-secret";

/** Checks that a URL is refused, by an error that tells no more than the host. */
async function assertForbidden(
  guarded: typeof fetch,
  url: string | URL | Request,
): Promise<Error> {
  const error = await assertRejects(
    () => guarded(url),
    ForbiddenAddressError,
    undefined,
    String(url),
  );
  assertInstanceOf(error, MediaCacheError);
  assertEquals(error.name, "ForbiddenAddressError");
  assert(!Deno.inspect(error).includes(SECRET), error.message);
  return error;
}

Deno.test("guard() refuses every spelling of loopback, where a server listens", async () => {
  await using origin = new Origin();
  const port = Number(new URL(origin.url("/")).port);
  using guarded = guard({ ports: [port] });

  for (const host of LOOPBACK_HOSTS) {
    const url = `http://${host}:${port}/${SECRET}?${SECRET}`;
    if (!host.endsWith("localhost.")) {
      await assertForbidden(guarded, url);
    } else {
      // Some systems know no name with a dot at its end.
      await assertRejects(() => guarded(url), Error, "localhost.");
    }
  }

  assertEquals(origin.requests(`/${SECRET}`), 0);
});

Deno.test("guard() refuses an address of each private range, by http and https", async () => {
  using guarded = guard();
  for (const host of Object.values(PRIVATE_HOSTS).flat()) {
    for (const scheme of ["http", "https"]) {
      await assertForbidden(guarded, `${scheme}://${host}/${SECRET}`);
    }
  }
});

Deno.test("guard() refuses odd spellings of the URL, not of the host alone", async () => {
  using guarded = guard();
  for (
    const url of [
      "http:\\\\127.0.0.1\\admin",
      "http:/127.0.0.1/",
      "http:127.0.0.1",
      "HTTP://127.0.0.1/",
      "  http://127.0.0.1/  ",
      "ht\ntp://127.0\t.0.1/",
      "http://127.0.0.1#@example.org/",
      "http://127.0.0.1?@example.org/",
      "http://127.0.0.1\\@example.org/",
      new URL("https://[::1]:443/"),
      new Request("http://127.0.0.1/", { method: "POST", body: "x" }),
    ]
  ) await assertForbidden(guarded, url);
});

Deno.test("guard() refuses each scheme but http and https", async () => {
  await using temp = await tempDir();
  const file = `${temp.path}/${SECRET}`;
  await Deno.writeTextFile(file, "x");
  const blob = URL.createObjectURL(new Blob(["x"]));
  using guarded = guard();
  for (
    const url of [
      `file://${file}`,
      `file:///etc/passwd?${SECRET}`,
      `data:text/plain,${SECRET}`,
      blob,
      `ftp://example.org/${SECRET}`,
      `ws://example.org/${SECRET}`,
      `gopher://127.0.0.1:70/_${SECRET}`,
      `javascript:${SECRET}`,
      `unix:/var/run/${SECRET}`,
      `blob:http://example.org/${SECRET}`,
    ]
  ) {
    const { message } = await assertForbidden(guarded, url);
    assert(message.includes("http or https"), message);
  }
  URL.revokeObjectURL(blob);
});

Deno.test("guard() refuses credentials in a URL, also those of an exempt host", async () => {
  await using origin = new Origin();
  const { host } = new URL(origin.url("/"));
  using guarded = guard({ exempt: [host] });
  for (const user of [SECRET, `a:${SECRET}`, `:${SECRET}`]) {
    await assertForbidden(guarded, `http://${user}@example.org/`);
    await assertForbidden(guarded, `http://${user}@${host}/`);
  }
  assertEquals(origin.requests("/"), 0);
});

Deno.test("guard() refuses a text that is no URL, and does not show it", async () => {
  using guarded = guard();
  for (
    const url of [
      `/${SECRET}`,
      SECRET,
      "",
      `http://${SECRET} x/`,
      `http://[fe80::1%25lo]/${SECRET}`,
      `http://[::ffff:127.0.0.1%25lo]/${SECRET}`,
      `http://[::1%lo]/${SECRET}`,
      `http://127.0.0.1:99999/${SECRET}`,
      `http://1.2.3.4.5/${SECRET}`,
      `http://256.256.256.256/${SECRET}`,
      `http://a%00.example/${SECRET}`,
      `http:///${SECRET} /`,
    ]
  ) {
    const error = await assertRejects(() => guarded(url), TypeError);
    assert(!Deno.inspect(error).includes(SECRET), error.message);
  }
});

Deno.test("guard() lets ports in the list through to the check of the address, and no others", async () => {
  using guarded = guard({ ports: [8080] });
  for (const url of ["http://10.0.0.1:8080/", "https://10.0.0.1:8080/"]) {
    const { message } = await assertForbidden(guarded, url);
    assert(message.includes("address must be public"), message);
  }
  for (
    const url of [
      "http://example.org/",
      "https://example.org/",
      "http://example.org:81/",
      "http://example.org:0/",
      "http://example.org:65535/",
    ]
  ) {
    const { message } = await assertForbidden(guarded, url);
    assert(message.includes("port must be 8080"), message);
  }
});

Deno.test("an exempt host lets a local Bot API through, and nothing else", async () => {
  await using api = new Origin();
  await using other = new Origin();
  const [port, otherPort] = [api, other].map((each) =>
    new URL(each.url("/")).port
  );
  api.on("/file", () => new Response("meow"));
  using guarded = guard({ exempt: [`localhost:${port}`] });

  const response = await guarded(`http://localhost:${port}/file`);

  assertEquals(await response.text(), "meow");
  for (
    const host of [
      `localhost:${otherPort}`,
      `127.0.0.1:${port}`,
      `[::1]:${port}`,
      `[::ffff:127.0.0.1]:${port}`,
      "localhost",
    ]
  ) {
    await assertForbidden(guarded, `http://${host}/file`);
  }
  for (const host of ["localhost.", "a.localhost"]) {
    // Some systems know no such name.
    await assertRejects(() => guarded(`http://${host}:${port}/file`), Error);
  }
  await assertForbidden(guarded, `ftp://localhost:${port}/file`);
  assertEquals([api.requests("/file"), other.requests("/file")], [1, 0]);
});

Deno.test("a redirect of an exempt host to another private address is refused", async () => {
  await using api = new Origin();
  await using other = new Origin();
  const secret = other.on(`/${SECRET}`, () => new Response("x"));
  const url = api.on("/go", () => Response.redirect(secret));
  const back = api.on("/back", () => Response.redirect(api.url("/file")));
  api.on("/file", () => new Response("meow"));
  using guarded = guard({ exempt: [new URL(url).host] });

  await assertForbidden(guarded, url);
  const response = await guarded(back);

  assertEquals([response.url, response.redirected], [api.url("/file"), true]);
  assertEquals(await response.text(), "meow");
  assertEquals(other.requests(`/${SECRET}`), 0);
});

Deno.test("an exempt host is compared as it stands in a URL, and with no port has those of the guard", async () => {
  await using origin = new Origin();
  const { port } = new URL(origin.on("/", () => new Response("meow")));
  const reach = async (exempt: string, host: string, ports: number[] = []) => {
    using guarded = guard({ exempt: [exempt], ports });
    const response = await guarded(`http://${host}:${port}/`);
    return await response.text();
  };

  assertEquals(await reach(`LOCALHOST:${port}`, "localhost"), "meow");
  assertEquals(await reach(`127.1:${port}`, "0x7f.0.0.1"), "meow");
  assertEquals(await reach("127.0.0.1", "127.0.0.1", [Number(port)]), "meow");
  await assertRejects(
    () => reach("127.0.0.1", "127.0.0.1"),
    ForbiddenAddressError,
    "port must be that of a host in exempt",
  );
  await assertRejects(
    () => reach("127.0.0.1:80", "127.0.0.1"),
    ForbiddenAddressError,
  );
});

Deno.test("guard() refuses options that are unknown, of a wrong type, or not allowed", () => {
  const make = (options: unknown) => () => guard(options as never);
  for (
    const options of [
      null,
      7,
      { port: [80] },
      { ports: 80 },
      { ports: ["80"] },
      { ports: [undefined] },
      { exempt: "localhost" },
      { exempt: [7] },
      { exempt: [null] },
      { maxRedirects: "5" },
      { proxy: true },
    ]
  ) assertThrows(make(options), TypeError, "Cannot make a guard");
  for (
    const options of [
      { ports: [0] },
      { ports: [65_536] },
      { ports: [80.5] },
      { exempt: [""] },
      { exempt: ["http://localhost"] },
      { exempt: ["localhost/x"] },
      { exempt: ["a@localhost"] },
      { exempt: ["localhost:99999"] },
      { exempt: ["a b"] },
      { exempt: ["10.0.0.0/8"] },
      { maxRedirects: -1 },
      { maxRedirects: NaN },
      { maxRedirects: 1.5 },
      { maxHeaderBytes: 0 },
      { proxy: "yes" },
    ]
  ) assertThrows(make(options), RangeError, "Cannot make a guard");
  guard({ ports: [], exempt: ["[::1]:8081", "bücher.example"] })
    [Symbol.dispose]();
});

Deno.test("a guard takes no client of the caller's, which would choose the address", async () => {
  using client = Deno.createHttpClient({});
  using guarded = guard();

  await assertRejects(
    () => guarded("http://127.0.0.1/", { client }),
    TypeError,
    "client must be left out",
  );
  const init: RequestInit = {};
  Object.assign(init, { client });
  const request = new Request("http://127.0.0.1/", init);
  await assertForbidden(guarded, request);
});

Deno.test("a disposed guard rejects", async () => {
  const guarded = guard();
  guarded[Symbol.dispose]();
  guarded[Symbol.dispose]();
  await assertRejects(
    () => guarded("http://127.0.0.1/"),
    TypeError,
    "disposed",
  );
});

Deno.test("a cache hands the error of the guard to the caller, and stores nothing", async () => {
  await using temp = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: temp.path });
  using guarded = guard();

  await assertRejects(
    () =>
      cache.getOrDownload(
        "http://169.254.169.254/latest/meta-data/",
        ({ url, signal }) => guarded(url, { signal }),
      ),
    ForbiddenAddressError,
  );

  const { entries, failures, addressesRefused } = cache.stats();
  assertEquals([entries, failures, addressesRefused], [0, 1, 1]);
});
