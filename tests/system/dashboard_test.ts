import { assert, assertEquals } from "@std/assert";
import { begin } from "../fixtures/cache/begun.ts";
import { startBrowser } from "../fixtures/web/browser.ts";
import { pattern } from "../fixtures/bodies/bytes.ts";
import { S3Engine } from "../fixtures/remote/s3_engine.ts";
import { s3Tier } from "../../src/s3/s3.ts";
import { mounted } from "../fixtures/servers/mounted.ts";
import { sample } from "../fixtures/gif/sample_media.ts";
import { watch } from "../fixtures/web/watched_page.ts";

const TRUSTED = { access: "trusted" } as const;
const PHONE = { viewport: { width: 390, height: 844 } };

Deno.test("the dashboard of an empty cache loads without an error, from one origin", async () => {
  await using browser = await startBrowser();
  for (const options of [{}, TRUSTED]) {
    await using router = await mounted(options);

    const { page, complaints, foreign } = await watch(browser, router.url);
    await page.getByText("Live", { exact: true }).waitFor();

    assertEquals(await page.title(), "Media cache");
    await page.getByText("No download is running").waitFor();
    assertEquals({ complaints, foreign }, { complaints: [], foreign: [] });
    await page.close();
  }
});

Deno.test("the bar of a slow download moves live, and goes at the end", async () => {
  await using browser = await startBrowser();
  await using router = await mounted(TRUSTED);
  const facts = { mimetype: "video/mp4", filename: "slow.mp4", size: 4000 };
  const { tap, call } = await begin(router.cache, "a:", facts);
  tap.write(pattern(1000));
  const media = await call;
  const body = media.bytes().catch((error) => error);

  const { page, complaints } = await watch(browser, router.url);
  const bar = page.getByRole("progressbar", { name: "slow.mp4" });
  assertEquals(await bar.getAttribute("value"), "1000");
  assertEquals(await bar.getAttribute("max"), "4000");
  const before = await bar.screenshot();

  tap.write(pattern(2000));
  await page.locator('progress[value="3000"]').waitFor();
  assert(!before.equals(await bar.screenshot()), "the bar looks another way");

  tap.write(pattern(1000));
  tap.end();
  await body;
  await bar.waitFor({ state: "detached" });
  await page.getByRole("link", { name: "slow.mp4" }).first().waitFor();
  assertEquals(complaints, []);
});

Deno.test("the dashboard with 2,000 entries loads fast, also on a phone, and shows a few of them", async () => {
  await using browser = await startBrowser();
  await using router = await mounted(TRUSTED);
  for (let i = 0; i < 2000; i++) {
    const url = `https://example.org/${"long-".repeat(i % 50)}${i}.png`;
    const name = `${"very-".repeat(i % 20)}long-name-${i}.png`;
    await router.cache.put(url, pattern(100 + i), "image/png", name);
  }
  for (const options of [{}, PHONE]) {
    const start = performance.now();
    const { page, foreign } = await watch(browser, router.url, options);
    const loadMs = performance.now() - start;

    assert(loadMs < 5000, `${loadMs} ms`);
    await page.getByText("2,000 entries").waitFor();
    assertEquals(await page.getByRole("table").count(), 2);
    assertEquals(await page.getByRole("row").count(), 18);
    const overflow = await page.evaluate(
      "document.documentElement.scrollWidth - document.documentElement.clientWidth",
    );
    assertEquals(overflow, 0, "nothing sticks out at the side");
    assertEquals(foreign, []);
    await page.close();
  }
});

Deno.test("the dashboard is complete without JavaScript", async () => {
  await using browser = await startBrowser();
  await using router = await mounted(TRUSTED);
  const { name, mimetype, bytes } = await sample("bars.png");
  await router.cache.put("a:", bytes, mimetype, name);

  const { page, complaints } = await watch(browser, router.url, {
    javaScriptEnabled: false,
  });

  await page.getByText("As of ").waitFor();
  assertEquals(await page.getByRole("button").count(), 0);
  assertEquals(await page.getByRole("table", { name: "Largest" }).count(), 1);
  assertEquals(await page.getByRole("img", { name: /^Lookups:/ }).count(), 1);
  await page.getByRole("link", { name }).first().click();
  assertEquals(complaints, []);
});

Deno.test("thumbnails are shown, and viewing counts nothing", async () => {
  await using browser = await startBrowser();
  await using router = await mounted(TRUSTED);
  for (const each of ["bars.png", "clip.mp4"]) {
    const { name, mimetype, bytes } = await sample(each);
    await router.cache.put(name, bytes, mimetype, name);
  }
  const before = router.cache.stats();

  const { page, complaints } = await watch(browser, router.url);
  await page.waitForFunction(
    "document.querySelector('video.thumbnail').readyState > 0",
  );
  const [width, state] = await Promise.all([
    page.evaluate("document.querySelector('img.thumbnail').naturalWidth"),
    page.evaluate("document.querySelector('video.thumbnail').readyState"),
  ]);

  assertEquals(width, 640);
  assert(Number(state) >= 1, "the video's first frame is known");
  assertEquals(router.cache.stats(), before);
  assertEquals(complaints, []);
});

Deno.test("a browser that views a broken folder changes nothing", async () => {
  await using browser = await startBrowser();
  await using router = await mounted(TRUSTED, { onEvent: () => {} });
  for (const each of ["bars.png", "clip.mp4"]) {
    const { name, mimetype, bytes } = await sample(each);
    await router.cache.put(name, bytes, mimetype, name);
  }
  await Deno.remove(router.dir, { recursive: true });
  await Deno.writeTextFile(router.dir, "a file in its place");
  const before = router.cache.stats();

  const { page } = await watch(browser, router.url);
  await page.getByRole("alert").getByText("ENOTDIR").waitFor();
  await page.waitForLoadState("networkidle");

  assertEquals(router.cache.stats(), before);
  assertEquals(await page.getByText("Disk error", { exact: true }).count(), 0);
});

Deno.test("failed downloads are shown with their reasons, and a long URL does not widen the page", async () => {
  await using browser = await startBrowser();
  await using router = await mounted(TRUSTED);
  const url = `https://host.example/${"long-".repeat(100)}`;
  const refused = Object.assign(new Error(), { code: "ECONNREFUSED" });
  const downloader = () =>
    Promise.reject(new TypeError("", { cause: refused }));
  await router.cache.getOrDownload(url, downloader).catch(() => {});
  for (const options of [{}, PHONE]) {
    const { page, complaints } = await watch(browser, router.url, options);

    await page.getByText("ECONNREFUSED × 1").waitFor();
    await page.getByText("ECONNREFUSED after 0 B").waitFor();
    await page.getByTitle(url).waitFor();
    const overflow = await page.evaluate(
      "document.documentElement.scrollWidth - document.documentElement.clientWidth",
    );
    assertEquals([overflow, complaints], [0, []]);
    await page.close();
  }
});

Deno.test("the outage of a remote tier shows live, also on a phone", async () => {
  await using browser = await startBrowser();
  for (const options of [{}, PHONE]) {
    await using engine = new S3Engine();
    const prefix = `${"l".repeat(250)}/`;
    const remote = s3Tier({ ...engine.options, prefix });
    await using router = await mounted(TRUSTED, { remote, onEvent: () => {} });
    const { page, complaints } = await watch(browser, router.url, options);
    const section = page.getByRole("region", {
      name: "Shared with other hosts",
    });
    await section.getByText("up", { exact: true }).waitFor();

    engine.refuse = () => ({ status: 503 });
    for (let i = 0; i < 6; i++) {
      const downloader = () => Promise.resolve({ data: pattern(10) });
      const media = await router.cache.getOrDownload(`a:${i}`, downloader);
      await media.bytes();
      await media.stored;
    }

    await section.getByRole("alert").getByText("is left alone").waitFor();
    await section.getByText("down", { exact: true }).waitFor();
    await page.getByText("Remote down", { exact: true }).waitFor();
    const overflow = await page.evaluate(
      "document.documentElement.scrollWidth - document.documentElement.clientWidth",
    );
    assertEquals([overflow, complaints], [0, []]);
    await page.close();
  }
});

Deno.test("a person gets in with a password", async () => {
  await using browser = await startBrowser();
  await using router = await mounted({ token: "open-sesame" });
  const httpCredentials = { username: "me", password: "open-sesame" };

  const { page, complaints } = await watch(browser, router.url, {
    httpCredentials,
  });

  await page.getByText("Live", { exact: true }).waitFor();
  assertEquals(complaints, []);
});

Deno.test("a person gets in with a password in the address, and the page stays live", async () => {
  await using browser = await startBrowser();
  await using router = await mounted({ token: "open-sesame" });
  const address = new URL(router.url);
  address.username = "me";
  address.password = "open-sesame";

  const { page, complaints } = await watch(browser, address.href);
  await router.cache.put("a:", pattern(10), "image/png", "late.png");

  await page.getByRole("link", { name: "late.png" }).first().waitFor();
  await page.getByText("Live", { exact: true }).waitFor();
  assertEquals(complaints, []);
});

Deno.test("the dashboard shows a lost connection, and recovers", async () => {
  await using browser = await startBrowser();
  await using router = await mounted(TRUSTED);
  const { page } = await watch(browser, router.url);
  const status = page.getByRole("status");

  await page.context().setOffline(true);
  await status.getByText("Connection lost").waitFor();
  await page.context().setOffline(false);
  await status.getByText("Live").waitFor();

  await page.getByRole("button", { name: "Pause" }).click();
  await status.getByText("Paused").waitFor();
  await router.cache.put("a:", pattern(10), "image/png", "late.png");
  await page.getByRole("button", { name: "Resume" }).click();
  await page.getByRole("link", { name: "late.png" }).first().waitFor();
});

Deno.test("the dashboard works by keyboard, and no update moves the focus", async () => {
  await using browser = await startBrowser();
  await using router = await mounted(TRUSTED);
  await router.cache.put("a:", pattern(10), "image/png", "a.png");
  const { page } = await watch(browser, router.url);
  const focused = () => page.evaluate("document.activeElement.textContent");

  const stops: unknown[] = [];
  for (let i = 0; i < 4; i++) {
    await page.keyboard.press("Tab");
    stops.push(await focused());
  }
  assertEquals(stops, ["Pause", "a.png", "a.png", "/stats"]);

  await page.keyboard.press("Shift+Tab");
  await router.cache.put("b:", pattern(20), "image/png", "b.png");
  await page.getByText("2 entries").first().waitFor();
  assertEquals(await focused(), "a.png");
  await page.keyboard.press("Tab");
  await page.getByRole("link", { name: "b.png" }).first().waitFor();
});

Deno.test("the dashboard has landmarks and headings for navigation", async () => {
  await using browser = await startBrowser();
  await using router = await mounted(TRUSTED);
  const { page } = await watch(browser, router.url);

  for (const role of ["banner", "main", "contentinfo", "navigation"] as const) {
    assertEquals(await page.getByRole(role).count(), 1, role);
  }
  const headings = page.getByRole("heading", { level: 2 });
  const regions = page.getByRole("region");
  assertEquals(await headings.count(), 5);
  assertEquals(await regions.count(), 5);
  assertEquals(await page.getByRole("heading", { level: 1 }).count(), 1);
  for (const meter of ["Disk used", "Memory used"]) {
    assertEquals(await page.getByRole("meter", { name: meter }).count(), 1);
  }
});
