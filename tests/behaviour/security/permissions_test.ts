import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { bytesOf, namesIn, writePair } from "../../fixtures/directory/files.ts";
import { gifOfDelays } from "../../fixtures/gif/gif_writer.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const MOD = new URL("../../../mod.ts", import.meta.url).href;
const CONFIG = new URL("../../../deno.json", import.meta.url).pathname;

/**
 * Runs a bot in its own process; the last expression of its lines is printed as
 * JSON.
 */
async function run(
  flags: string[],
  cacheDir: string,
  script: string,
): Promise<{ code: number; value: unknown; stderr: string }> {
  await using dir = await tempDir();
  const path = join(dir.path, "bot.ts");
  await Deno.writeTextFile(
    path,
    `import { MediaCache } from ${JSON.stringify(MOD)};
     const cacheDir = ${JSON.stringify(cacheDir)};
     ${script}`,
  );
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-check",
      `--config=${CONFIG}`,
      ...flags,
      path,
    ],
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder().decode(stdout);
  return {
    code,
    value: text === "" ? undefined : JSON.parse(text),
    stderr: new TextDecoder().decode(stderr),
  };
}

/** A bot that does each operation once. */
const EVERYTHING = `
  const bytes = new Uint8Array(300_000).fill(7);
  const cache = await MediaCache.open({ cacheDir, durable: true });
  const seen = [];
  seen.push(await cache.put("a", bytes, "image/png", "a.png"));
  seen.push((await (await cache.get("a")).bytes()).length);
  const gif = new TextEncoder().encode("GIF89a and so on");
  const media = await cache.getOrDownload("b", async () => ({ data: gif }));
  seen.push((await media.bytes()).length, await media.stored);
  seen.push(await cache.has("b"), (await cache.verify()).problems.length);
  seen.push(await cache.delete("b"));
  seen.push(cache.stats().diskErrors);
  await cache.close();
  console.log(JSON.stringify(seen));
`;

Deno.test("a cache needs only the permissions to read and to write the directory", async () => {
  await using dir = await tempDir();

  const { code, value, stderr } = await run(
    [
      "--no-prompt",
      `--allow-read=${dir.path}`,
      `--allow-write=${dir.path}`,
    ],
    dir.path,
    EVERYTHING,
  );

  assertEquals(code, 0, stderr);
  assertEquals(value, [true, 300_000, 16, true, true, 0, true, 0]);
});

/** A bot that converts a GIF, and reports permissions that it was not given. */
const CONVERSION = `
  const gif = new Uint8Array(${JSON.stringify([...gifOfDelays([10, 20])])});
  const events = [];
  const onEvent = ({ type }) => events.push(type);
  const cache = await MediaCache.open({ cacheDir, onEvent });
  const media = await cache.getOrDownload("a", async () => ({ data: gif }));
  const seen = [media.mimetype, await media.stored, cache.stats().diskErrors];
  await cache.close();
  for (const name of ["net", "env", "sys", "ffi", "import"]) {
    const { state } = await Deno.permissions.query({ name });
    if (state === "granted") seen.push(name);
  }
  console.log(JSON.stringify([...seen, ...events]));
`;

Deno.test("GIF to MP4 needs only the permission to run ffmpeg beside the directory", async () => {
  await using dir = await tempDir();

  const { code, value, stderr } = await run(
    [
      "--no-prompt",
      `--allow-read=${dir.path}`,
      `--allow-write=${dir.path}`,
      "--allow-run=ffmpeg",
    ],
    dir.path,
    CONVERSION,
  );

  assertEquals(code, 0, stderr);
  const events = ["loaded", "miss", "converted", "stored"];
  assertEquals(value, ["video/mp4", true, 0, ...events]);
});

Deno.test("SECURITY.md names the flags of these tests, and no others", async () => {
  const text = await Deno.readTextFile(
    new URL("../../../.github/SECURITY.md", import.meta.url),
  );

  const section = text.slice(text.indexOf("## Permissions"));
  assertEquals(
    [...section.matchAll(/`(--allow[^`]*)`/g)].map(([, flags]) => flags),
    [
      "--allow-read=DIR --allow-write=DIR",
      "--allow-read=DIR --allow-write=DIR --allow-run=ffmpeg",
      "--allow-read=DIR",
      // For a remote tier, which its own tests reach.
      "--allow-net=HOST",
    ],
  );
});

Deno.test("the directory may be missing below a parent that may be used", async () => {
  await using dir = await tempDir();
  const cacheDir = join(dir.path, "deep", "er");

  const { value, stderr } = await run(
    [
      "--no-prompt",
      `--allow-read=${dir.path}`,
      `--allow-write=${dir.path}`,
    ],
    cacheDir,
    EVERYTHING,
  );

  assertEquals((value as unknown[])[0], true, stderr);
});

Deno.test("a read-only cache needs only the permission to read", async () => {
  await using dir = await tempDir();
  await writePair(dir.path, "a", bytesOf(5));

  const { code, value, stderr } = await run(
    ["--no-prompt", `--allow-read=${dir.path}`],
    dir.path,
    `const cache = await MediaCache.open({ cacheDir, readOnly: true });
     const media = await cache.get("a");
     const length = (await media.bytes()).length;
     await cache.close();
     console.log(JSON.stringify([length, cache.stats().diskErrors]));`,
  );

  assertEquals(code, 0, stderr);
  assertEquals(value, [5, 0]);
});

/**
 * A bot without the permissions. No \`--no-prompt\`: it must not be asked
 * either.
 */
const DENIED = `
  Deno.permissions.request = Deno.permissions.requestSync = () => {
    throw new Error("prompted");
  };
  // A disk operation without a check of permissions would make Deno prompt.
  let touched = false;
  for (const name of ["mkdir", "stat", "lstatSync", "openSync", "readDir"]) {
    const original = Deno[name];
    Deno[name] = (...args) => {
      touched = true;
      return original(...args);
    };
  }
  const cache = new MediaCache({ cacheDir, onEvent() {} });
  const message = await cache.ensureLoaded().then(() => "", (error) => error.message);
  const seen = [];
  seen.push(await cache.get("a") ?? null, await cache.has("a"));
  seen.push(await cache.put("a", new Uint8Array(3), "image/png", "a.png"));
  seen.push(await cache.delete("a"));
  seen.push(await cache.getByKey("0".repeat(64)) ?? null);
  await cache.clear();
  for await (const entry of cache.entries()) seen.push(entry);
  const media = await cache.getOrDownload("a", async () => ({ data: new Uint8Array(3) }));
  seen.push((await media.bytes()).length, await media.stored);
  const send = () => cache.sendOnce("a", "place", async () => ({ data: new Uint8Array(3) }), {
    again: async (handle) => handle,
    first: async (media) => ({ result: (await media.bytes()).length, handle: "in RAM" }),
  });
  seen.push(await send(), await send());
  await cache.setHandle("b", "place", "b");
  seen.push(await cache.handle("b", "place"), await cache.placesByKey("0".repeat(64)));
  seen.push(cache.stats().diskErrors > 0, touched);
  await cache.close();
  console.log(JSON.stringify({ message, seen }));
`;

Deno.test("without a permission ensureLoaded() names path and flag, and every other call is a miss", async (t) => {
  await using dir = await tempDir();
  const cases: [flags: string[], missing: string][] = [
    [[], `--allow-read=${dir.path}`],
    [[`--allow-read=${dir.path}`], `--allow-write=${dir.path}`],
    [[`--allow-write=${dir.path}`], `--allow-read=${dir.path}`],
    [[`--deny-write`, "--allow-read"], `--allow-write=${dir.path}`],
  ];
  for (const [flags, missing] of cases) {
    await t.step(flags.join(" ") || "no flags", async () => {
      const { code, value, stderr } = await run(flags, dir.path, DENIED);

      assertEquals(code, 0, stderr);
      assert(typeof value === "object" && value !== null);
      const { message, seen } = value as { message: string; seen: unknown[] };
      assertStringIncludes(message, missing);
      assertEquals(seen, [
        null,
        false,
        false,
        false,
        null,
        3,
        false,
        3,
        "in RAM",
        "b",
        [],
        true,
        false,
      ]);
      assertEquals(await namesIn(dir.path), []);
    });
  }
});

Deno.test("behind a link, or with missing parents, the error names the missing flag and Deno does not prompt", async () => {
  await using dir = await tempDir();
  await Deno.mkdir(join(dir.path, "real"));
  await Deno.symlink(join(dir.path, "real"), join(dir.path, "link"));
  const missing = {
    "link": "real",
    "link/new": "real/new",
    "no/such/parent": "no/such",
  };
  for (const [path, wanted] of Object.entries(missing)) {
    const cacheDir = join(dir.path, path);
    const flags = [`--allow-read=${cacheDir}`, `--allow-write=${cacheDir}`];
    // Without --no-prompt: a prompt without a terminal is an error.
    const { value } = await run(
      flags,
      cacheDir,
      `const cache = new MediaCache({ cacheDir, onEvent() {} });
       const error = await cache.ensureLoaded().catch((error) => error);
       console.log(JSON.stringify([error.name, error.message]));`,
    );
    const [name, message] = value as [string, string];
    assertEquals(name, "MediaCacheError");
    assertStringIncludes(
      message,
      `missing --allow-read=${join(dir.path, wanted)}`,
    );
  }
});
