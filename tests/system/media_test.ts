import { assert, assertEquals, assertMatch } from "@std/assert";
import { keyOf } from "../../src/core/text/key.ts";
import { startBrowser } from "../fixtures/web/browser.ts";
import { mounted, statusOf } from "../fixtures/servers/mounted.ts";
import { openFiles } from "../fixtures/directory/open_files.ts";
import { sample } from "../fixtures/gif/sample_media.ts";
import { watch } from "../fixtures/web/watched_page.ts";

const TRUSTED = { access: "trusted" } as const;
const SCRIPT = `
  <script>document.title = "taken over"; fetch("/cache/stats?taken-over")</script>
`;

Deno.test("a browser seeks in a cached video by ranges", async () => {
  await using browser = await startBrowser();
  await using router = await mounted(TRUSTED);
  const { name, mimetype, bytes } = await sample("long.mp4");
  await router.cache.put("a:", bytes, mimetype, name);
  const asked: Promise<Record<string, string>>[] = [];
  const { page, complaints } = await watch(browser, router.url);
  page.on("request", (request) => {
    // A range that the browser gives up has no size in the end.
    asked.push(request.allHeaders().catch(() => ({})));
  });

  await page.getByRole("link", { name }).first().click();
  const video = page.locator("video");
  await video.waitFor();
  await page.evaluate(`new Promise((resolve, reject) => {
    const video = document.querySelector("video");
    video.addEventListener("seeked", resolve);
    video.addEventListener("error", () => reject(video.error));
    const seek = () => video.currentTime = video.duration * 0.9;
    if (video.readyState > 0) seek();
    else video.addEventListener("loadedmetadata", seek);
  })`);

  const [time, duration] = await page.evaluate<[number, number]>(
    "[document.querySelector('video').currentTime, document.querySelector('video').duration]",
  );
  assert(time > duration * 0.85, `${time} of ${duration}`);
  const ranges = (await Promise.all(asked)).map(({ range }) => range);
  const starts = ranges.filter((range) => range !== undefined)
    .map((range) => Number(range.match(/\d+/)?.[0]));
  assert(Math.max(...starts) > bytes.length / 2, `${ranges}`);
  assertEquals(complaints, []);
  await page.close();
  while (openFiles(router.dir).length > 0) {
    await statusOf(router.ask("/healthz"));
  }
});

for (
  const [mimetype, name, text] of [
    ["text/html", "page.html", `<title>harmless</title>${SCRIPT}`],
    [
      "image/svg+xml",
      "drawing.svg",
      `<svg xmlns="http://www.w3.org/2000/svg"><script>fetch("/cache/stats?taken-over")</script></svg>`,
    ],
    ["image/png", "no-picture.png", `<title>harmless</title>${SCRIPT}`],
  ] as const
) {
  Deno.test(`${name} that holds a script is stored, opened and embedded, and no script runs`, async () => {
    await using browser = await startBrowser();
    await using router = await mounted(TRUSTED);
    const bytes = new TextEncoder().encode(text);
    await router.cache.put("a:", bytes, mimetype, name);
    const path = `/media/${keyOf("a:")}`;
    const { page } = await watch(browser, router.url);
    const asked: string[] = [];
    page.context().on("request", (request) => asked.push(request.url()));

    await page.goto(router.url + path).catch((error) =>
      assertMatch(String(error), /Download is starting/)
    );
    for (const tag of ["iframe", "embed", "img", "object", "script"]) {
      await page.goto(`${router.url}/stats`);
      await page.evaluate(`new Promise((resolve) => {
        const element = document.createElement("${tag}");
        element.addEventListener("load", resolve);
        element.addEventListener("error", resolve);
        element["${tag === "object" ? "data" : "src"}"] = "/cache${path}";
        document.documentElement.append(element);
        setTimeout(resolve, 300); // a download fires nothing
      })`);
    }

    assert(asked.some((url) => url.includes(path)));
    assertEquals(asked.filter((url) => url.includes("taken-over")), []);
  });
}
