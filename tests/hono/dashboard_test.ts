import {
  assert,
  assertEquals,
  assertFalse,
  assertStringIncludes,
} from "@std/assert";
import { Hono } from "hono";
import { MediaCache } from "../../mod.ts";
import { statsRouter } from "../../src/hono/stats_router.ts";
import { keyOf } from "../../src/core/text/key.ts";
import { begin } from "../fixtures/cache/begun.ts";
import { pattern } from "../fixtures/bodies/bytes.ts";
import { mounted, statusOf } from "../fixtures/servers/mounted.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";

const TRUSTED = { access: "trusted" } as const;
const SECRET = "https://host.example/bot1:secret/cat.png";

/** Every URL that a page links to or loads. */
function linksOf(text: string): string[] {
  return [...text.matchAll(/(?:href|src)="([^"]*)"/g)].map(([, link]) =>
    link!.replaceAll("&amp;", "&")
  );
}

Deno.test("the dashboard without access shows no names", async () => {
  await using router = await mounted();
  const { cache } = router;
  await cache.put(SECRET, pattern(10), "image/png", "secret-cat.png");
  await cache.get(SECRET);
  const facts = { filename: "secret-dog.png", size: 100 };
  const { tap, call } = await begin(cache, `${SECRET}?2`, facts);
  tap.write(pattern(50));
  await using _media = await call;

  const text = await (await router.ask("")).text();

  assertStringIncludes(text, "Hit × 1".slice(0, 3));
  assertStringIncludes(text, "Download 1");
  assertStringIncludes(text, 'value="50"');
  for (const secret of ["secret", "host.example", keyOf(SECRET).slice(0, 12)]) {
    assertFalse(text.includes(secret), secret);
  }
  tap.end();
});

Deno.test("the dashboard with access shows entries, and escapes their names", async () => {
  await using router = await mounted(TRUSTED);
  const url = `a:"><script>alert(1)</script>`;
  const name = `<img src=x onerror=alert(1)>.png`;
  await router.cache.put(url, pattern(10), "image/png", name);

  const text = await (await router.ask("")).text();

  assertStringIncludes(text, "&lt;script&gt;alert(1)");
  assertEquals(text.match(/<script/g)?.length, 1);
  assertFalse(text.includes("onerror=alert(1)>"));
  assertStringIncludes(text, `?to=preview/${keyOf(url)}`);
});

Deno.test("the dashboard cuts long URLs, and the page of an entry shows them whole", async () => {
  await using router = await mounted(TRUSTED);
  const url = `data:image/png,${"A".repeat(900_000)}`;
  assert(await router.cache.put(url, pattern(10), "image/png", "a.png"));

  const text = await (await router.ask("")).text();

  assertStringIncludes(text, `${url.slice(0, 1_000)}…<`);
  assert(text.length < 100_000, `${text.length}`);
  const page = await (await router.ask(`/view/${keyOf(url)}`)).text();
  assertStringIncludes(page, url);
});

Deno.test("the dashboard loads only its own files, and has no inline script or style", async () => {
  await using router = await mounted(TRUSTED);
  await router.cache.put("a:", pattern(10), "image/png", "a.png");

  const response = await router.ask("");
  const text = await response.text();

  const policy = response.headers.get("Content-Security-Policy") ?? "";
  assertStringIncludes(policy, "default-src 'none'");
  assertFalse(/unsafe|https?:|\*|data:/.test(policy), policy);
  assertFalse(/<style|\sstyle=|\son\w+=|<script(?! src=)/.test(text));
  for (const link of linksOf(text)) assert(link.startsWith("?to="), link);
  assertEquals(response.headers.get("Cache-Control"), "no-store");
  assertEquals(response.headers.get("Referrer-Policy"), "no-referrer");
});

Deno.test("the dashboard's links work under any mount path", async () => {
  await using temp = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: temp.path });
  await cache.put("a:", pattern(10), "image/png", "a.png");
  const router = statsRouter(cache, TRUSTED);
  const nested = new Hono().basePath("/x").route("/y", router);
  const stripping = new Hono().mount("/z", router.fetch);
  const pages: [{ request: Hono["request"] }, string][] = [
    [router, "/"],
    [nested, "/x/y"],
    [nested, "/x/y/"],
    [stripping, "/z"],
    [stripping, "/z/"],
  ];
  for (const [app, path] of pages) {
    const page = new URL(path, "http://host.example");
    const text = await (await app.request(page.href)).text();
    const links = linksOf(text);
    assert(links.length > 8, path);

    for (const link of links) {
      const { status, body } = await app.request(new URL(link, page).href);
      await body?.cancel();
      assertEquals(status, 200, `${path} ${link}`);
    }
  }
});

Deno.test("a followed link keeps its guard and its headers", async () => {
  await using router = await mounted({ token: "t" });
  await router.cache.put("a:", pattern(10), "image/png", "a.png");
  const ask = (path: string, headers: Record<string, string> = {}) =>
    statusOf(router.ask(path, { headers }));
  const media = `?to=media/${keyOf("a:")}`;
  const token = { Authorization: "Bearer t" };

  assertEquals(await ask(media), 401);
  assertEquals(await ask(media, token), 200);
  assertEquals(await ask(media, { ...token, Range: "bytes=0-1" }), 206);
  assertEquals(await ask("?to=healthz"), 200);
  assertEquals(await ask("?to=", token), 200);
  assertEquals(await ask("?to=/", token), 200);
  assertEquals(await ask("?to=../../etc/passwd", token), 404);
  assertEquals(await ask("?to=dashboard/nothing", token), 404);
  assertEquals(await ask("?to=//other.example/x", token), 404);
});

Deno.test("the dashboard shows an empty cache, a fault, and a closed cache", async () => {
  await using router = await mounted(TRUSTED);
  const text = async () => await (await router.ask("")).text();

  const empty = await text();
  for (
    const said of [
      "Nothing is stored yet",
      "No download is running",
      "Nothing has happened",
    ]
  ) assertStringIncludes(empty, said);

  await Deno.remove(router.dir);
  await Deno.writeTextFile(router.dir, "a file in its place");
  assertStringIncludes(await text(), "ENOTDIR");
  await Deno.remove(router.dir);
  await Deno.mkdir(router.dir);
  await router.cache.close();
  assertStringIncludes(await text(), "the cache is closed");
});

Deno.test("the dashboard of a read-only cache states that it is read-only", async () => {
  await using router = await mounted(TRUSTED, { readOnly: true });

  const text = await (await router.ask("")).text();

  assertStringIncludes(text, "This cache is read-only");
});

Deno.test("the sections served alone equal those of the page", async () => {
  await using router = await mounted();

  const sections = await (await router.ask("?to=dashboard/sections")).text();

  assertFalse(sections.includes("<html"));
  const ids = [...sections.matchAll(/id="(\w+)" data-live/g)].map(([, id]) =>
    id
  );
  assertEquals(ids, ["overview", "charts", "downloads", "entries", "events"]);
});

Deno.test("a picture that is large or of an unsafe type has no thumbnail", async () => {
  await using router = await mounted(TRUSTED);
  const entries: [string, number, string][] = [
    ["image/png", 3_000_000, "large.png"],
    ["image/svg+xml", 10, "drawing.svg"],
    ["video/mp4", 10, "film.mp4"],
    ["image/jpeg", 10, "small.jpg"],
  ];
  for (const [type, size, name] of entries) {
    await router.cache.put(name, pattern(size), type, name);
  }

  const text = await (await router.ask("")).text();

  const shown = (name: string) => text.includes(`?to=preview/${keyOf(name)}`);
  assertEquals(entries.map(([, , name]) => shown(name)), [
    false,
    false,
    true,
    true,
  ]);
});
