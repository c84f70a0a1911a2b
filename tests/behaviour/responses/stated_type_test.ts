/**
 * The type of an entry, from the type that a response, a download or a caller
 * of `put()` states.
 */
import { assertEquals } from "@std/assert";
import { emptyCache } from "../../fixtures/cache/empty_cache.ts";
import { Origin } from "../../fixtures/servers/origin.ts";

const BYTES = new Uint8Array([1, 2, 3]);

Deno.test("a Content-Type that is sent twice is read as response.blob() reads it", async () => {
  await using origin = new Origin();
  await using opened = await emptyCache();
  const lists = [
    ["image/jpeg", "image/jpeg"],
    ["image/jpeg", "*/*"],
    ["text/html; a=b", "image/jpeg;\tq=1"],
  ];
  for (const [i, types] of lists.entries()) {
    const url = origin.on(`/${i}`, () => {
      const headers = new Headers();
      for (const type of types) headers.append("Content-Type", type);
      return new Response(BYTES, { headers });
    });
    const { type } = await (await fetch(url)).blob();

    await using media = await opened.cache
      .getOrDownload(url, ({ url, signal }) => fetch(url, { signal }));

    assertEquals(media.mimetype, "image/jpeg");
    assertEquals(media.mimetype, type.split(";")[0]);
  }
});

Deno.test("a list of types never shows a harmless type for a body that a browser would show as a page", async () => {
  await using opened = await emptyCache();
  const { cache } = opened;
  const mimetype = "image/png; a=b,text/html";
  await cache.put("a:", BYTES, mimetype, "a.png");
  const download = () => Promise.resolve({ data: BYTES, mimetype });
  await (await cache.getOrDownload("b:", download)).bytes();

  for (const url of ["a:", "b:"]) {
    await using media = await cache.get(url);
    const headers = media?.response().headers;

    assertEquals(headers?.get("Content-Type"), "text/html");
    assertEquals(
      headers?.get("Content-Disposition")?.split(";")[0],
      "attachment",
    );
  }
});

Deno.test("put() accepts a tab between the parameters of a type", async () => {
  await using opened = await emptyCache();
  await opened.cache.put("a:", BYTES, "image/png;\tq=1", "a.png");

  await using media = await opened.cache.get("a:");

  assertEquals(media?.mimetype, "image/png");
});
