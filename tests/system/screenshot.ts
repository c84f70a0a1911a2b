/**
 * Makes the README's picture of the dashboard, from the example server at work.
 *
 *     ./denow run --allow-all tests/system/screenshot.ts [FOLDER]
 *
 * With a folder it writes each view of the dashboard there, for review,
 * and leaves the README's picture alone.
 */
import { fromFileUrl, join } from "@std/path";
import { startBrowser } from "../fixtures/web/browser.ts";
import { pattern } from "../fixtures/bodies/bytes.ts";
import { ExampleServer } from "../fixtures/servers/example_server.ts";
import { Origin } from "../fixtures/servers/origin.ts";
import { sample, SAMPLE_NAMES } from "../fixtures/gif/sample_media.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";

const README_PICTURE = fromFileUrl(
  new URL("../../.github/dashboard.png", import.meta.url),
);
const DESKTOP = { width: 1280, height: 1250 };
const PHONE = { width: 390, height: 844 };
const MB = 1_048_576;

/** Long enough for visible charts. */
const ROUNDS = 24;
const ROUND_MS = 3500;

/** Name, total bytes and received bytes of the running downloads. */
const UNDER_WAY: [string, number | undefined, number][] = [
  ["concert.mp4", 24 * MB, 15 * MB],
  ["lecture.mp4", 12 * MB, 2 * MB],
  ["livestream.mp4", undefined, 3 * MB],
];

const [folder] = Deno.args;
await using temp = await tempDir();
await using origin = new Origin();
const { host } = new URL(origin.url("/"));
await using server = await ExampleServer.start({
  dir: join(temp.path, "cache"),
  hosts: host,
  env: { MEDIA_CACHE_MAX_MB: "64" },
});

await work();
if (folder === undefined) {
  await shoot(README_PICTURE, DESKTOP, "light", false);
} else {
  await Deno.mkdir(folder, { recursive: true });
  for (const scheme of ["light", "dark"] as const) {
    await shoot(join(folder, `desktop-${scheme}.png`), DESKTOP, scheme, true);
    await shoot(join(folder, `phone-${scheme}.png`), PHONE, scheme, true);
  }
}

/** Bots that request various URLs, so that the dashboard has content. */
async function work(): Promise<void> {
  const urls: string[] = [];
  for (const name of SAMPLE_NAMES) {
    const { mimetype, bytes } = await sample(name);
    urls.push(origin.bytes(`/${name}`, bytes, { "Content-Type": mimetype }));
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, url] of urls.entries()) {
      if ((round * 7 + i * 3) % 5 >= 3 && round > 0) continue;
      await (await fetch(server.proxied(url))).bytes();
    }
    await new Promise((resolve) => setTimeout(resolve, ROUND_MS));
  }
  const gone = origin.on("/gone.png", () => new Response("", { status: 404 }));
  await (await fetch(server.proxied(gone))).body?.cancel();
  for (const [name, total, received] of UNDER_WAY) {
    const { url, tap } = origin.tap(`/${name}`, {
      "Content-Type": "video/mp4",
      ...(total && { "Content-Length": `${total}` }),
    });
    const asked = fetch(server.proxied(url));
    tap.write(pattern(received));
    await asked;
  }
}

async function shoot(
  path: string,
  viewport: { width: number; height: number },
  colorScheme: "light" | "dark",
  fullPage: boolean,
): Promise<void> {
  await using browser = await startBrowser();
  const page = await browser.newPage({
    viewport,
    colorScheme,
    deviceScaleFactor: 1,
    locale: "en-GB",
    httpCredentials: { username: "me", password: server.token },
  });
  await page.goto(server.dashboard, { waitUntil: "networkidle" });
  await page.screenshot({ path, fullPage });
}
