/** Directories with sidecars that hold names and types of earlier versions. */
import { assertEquals } from "@std/assert";
import { MediaCache } from "../../../mod.ts";
import {
  bytesOf,
  isThere,
  pathsOf,
  writePair,
} from "../../fixtures/directory/files.ts";
import { indexEverything } from "../../fixtures/cache/indexing.ts";
import { INDEX_NAME } from "../../../src/core/disk/file_names.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

/**
 * Names and types that an earlier version may have written, and the values
 * shown for them.
 */
const NAMES: Record<string, string> = {
  "Ab_c.jpg:large": "Ab_c.jpg",
  "what?.png": "what_.png",
  "a|b*.png": "a_b_.png",
  'say "hi" <b>.png': "say _hi_ _b_.png",
  "con.png": "_con.png",
  "=?utf-8?B?5oiR5LusL2EucG5n?=": "=_utf-8_B_5oiR5LusL2EucG5n_=",
};
const TYPES: Record<string, string> = {
  "image/png, image/png": "image/png",
  "image/png; a=b,text/html": "text/html",
  "image/png;\tq=1": "image/png",
};
const ENTRIES = [
  ...Object.entries(NAMES).map(([filename, shown]) => ({
    sidecar: { filename, mimetype: "image/png" },
    shown: { filename: shown, mimetype: "image/png" },
  })),
  ...Object.entries(TYPES).map(([mimetype, shown]) => ({
    sidecar: { filename: "a.png", mimetype },
    shown: { filename: "a.png", mimetype: shown },
  })),
];

for (const indexed of [false, true]) {
  const how = indexed ? "with an index" : "without an index";
  Deno.test(`illegal names and types are made legal when read, and stay unchanged on disk, ${how}`, async () => {
    await using dir = await tempDir();
    using _indexing = indexed ? indexEverything() : undefined;
    const sidecars: string[] = [];
    for (const [i, { sidecar }] of ENTRIES.entries()) {
      const { json } = await writePair(dir.path, `${i}`, bytesOf(i + 1), {
        sidecar,
      });
      sidecars.push(await Deno.readTextFile(json));
    }

    // The second opening may read an index that the first has written.
    for (let opening = 1; opening <= 2; opening++) {
      assertEquals(
        await isThere(`${dir.path}/${INDEX_NAME}`),
        indexed && opening === 2,
      );
      await using cache = await MediaCache.open({ cacheDir: dir.path });
      const listed = await Array.fromAsync(
        cache.entries(),
        ({ url, mimetype, filename }) => [url, { filename, mimetype }],
      );
      assertEquals(
        Object.fromEntries(listed),
        Object.fromEntries(ENTRIES.map(({ shown }, i) => [i, shown])),
      );
      for (const [i, { shown }] of ENTRIES.entries()) {
        await using media = await cache.get(`${i}`);
        assertEquals(await media?.bytes(), bytesOf(i + 1));
        assertEquals(
          { filename: media?.filename, mimetype: media?.mimetype },
          shown,
        );
      }
      assertEquals((await cache.verify({ fix: true })).problems, []);
    }

    for (const [i, text] of sidecars.entries()) {
      const { json } = pathsOf(dir.path, `${i}`);
      assertEquals(await Deno.readTextFile(json), text);
    }
  });
}
