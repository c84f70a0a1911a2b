/**
 * Names and types that a hostile sender states, on their way into the headers
 * of `media.response()`.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { type Downloader, MediaCache } from "../../../mod.ts";
import { safeFilename } from "../../../src/core/text/filename.ts";
import { bytesOf, namesIn, pathsOf } from "../../fixtures/directory/files.ts";
import {
  HOSTILE_NAMES,
  HOSTILE_TYPES,
} from "../../fixtures/inputs/hostile_text.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

type Store = (
  cache: MediaCache,
  name: string,
  type: string,
) => Promise<unknown>;

const URL_A = "https://example.org/";

function download(cache: MediaCache, downloader: Downloader): Promise<unknown> {
  return cache.getOrDownload(URL_A, downloader)
    .then((media) => media.stored);
}

/** A Response with any bytes in its headers that a socket can carry. */
function rawResponse(name: string, type: string): Response {
  const raw = (text: string) =>
    String.fromCharCode(...new TextEncoder().encode(text.slice(0, 3000)))
      .replace(/[\0\r\n]/g, " ");
  const headers = new Headers();
  headers.set("Content-Type", raw(type));
  headers.set("Content-Disposition", `attachment; filename="${raw(name)}"`);
  return new Response(bytesOf(3), { headers });
}

const WAYS: Record<string, Store> = {
  "put()": (cache, name, type) => cache.put(URL_A, bytesOf(3), type, name),
  "a Download": (cache, filename, mimetype) =>
    download(
      cache,
      () => Promise.resolve({ data: bytesOf(3), filename, mimetype }),
    ),
  "a Blob": (cache, name, type) =>
    download(
      cache,
      () => Promise.resolve({ data: new File([bytesOf(3)], name, { type }) }),
    ),
  "a Response": (cache, name, type) =>
    download(cache, () => Promise.resolve(rawResponse(name, type))),
};

for (const [way, store] of Object.entries(WAYS)) {
  Deno.test(`no name and no type that comes by ${way} breaks a header or leaves the folder`, async () => {
    await using dir = await tempDir();
    const cases = [
      ...HOSTILE_NAMES.map((name) => [name, "image/png"]),
      ...HOSTILE_TYPES.map((type) => ["a.png", type]),
    ];
    for (const [name = "", type = ""] of cases) {
      await using cache = await MediaCache.open({
        cacheDir: dir.path,
        maxMemoryItems: 0,
      });
      await store(cache, name, type);
      assertEquals(await namesIn(dir.path), filesOf(dir.path));
      await using media = await cache.get(URL_A);
      assert(media);

      const { filename, mimetype } = media;
      assertEquals(filename, safeFilename(filename));
      assertMatch(mimetype, /^[\x20-\x7e]{3,}$/);
      assert(new TextEncoder().encode(filename).length <= 255);
      const { headers, status } = media.response();
      assertEquals(status, 200);
      assertEquals([...headers.keys()], [
        "content-disposition",
        "content-length",
        "content-type",
        "x-content-type-options",
      ]);
      assertMatch(
        headers.get("Content-Disposition") ?? "",
        /^(?:inline|attachment); filename="[ !#-[\]-~]+"(?:; filename\*=UTF-8''[\w!#$&+.^`|~%-]+)?$/,
      );
      assertEquals(headers.get("Content-Type"), mimetype);
      await cache.clear();
    }
  });
}

function filesOf(dir: string): string[] {
  const { key } = pathsOf(dir, URL_A);
  return [`${key}.dat`, `${key}.json`];
}
