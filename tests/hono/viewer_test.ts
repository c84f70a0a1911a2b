import { assertEquals, assertFalse, assertStringIncludes } from "@std/assert";
import { keyOf } from "../../src/core/text/key.ts";
import { pattern } from "../fixtures/bodies/bytes.ts";
import { mounted, statusOf } from "../fixtures/servers/mounted.ts";

const TRUSTED = { access: "trusted" } as const;

Deno.test("/view shows an entry by its type, and does not count as a use", async () => {
  await using router = await mounted(TRUSTED);
  const shown = [
    ["image/png", "a.png", "<img "],
    ["video/mp4", "b.mp4", "<video "],
    ["audio/ogg", "c.ogg", "<audio "],
    ["text/html", "d.html", "are not shown"],
  ] as const;
  for (const [mimetype, name, expected] of shown) {
    await router.cache.put(name, pattern(10), mimetype, name);
    const before = router.cache.stats();

    const response = await router.ask(`/view/${keyOf(name)}`);
    const text = await response.text();

    assertStringIncludes(text, expected);
    assertStringIncludes(text, `download="${name}"`);
    for (const tag of ["<img ", "<video ", "<audio "]) {
      assertEquals(text.includes(tag), tag === expected, `${name} ${tag}`);
    }
    assertFalse(text.includes("<script"));
    assertEquals(router.cache.stats(), before);
  }
  assertEquals(await statusOf(router.ask(`/view/${keyOf("x")}`)), 404);
});

Deno.test("/view shows the places that have a handle, escaped, and no handle", async () => {
  await using router = await mounted(TRUSTED);
  const { cache } = router;
  await cache.put("a.png", pattern(10), "image/png", "a.png");
  const view = async () =>
    await (await router.ask(`/view/${keyOf("a.png")}`)).text();
  assertFalse((await view()).includes("Uploaded to"));

  await cache.setHandle("a.png", "telegram:1:<b>", "canary");

  const text = await view();
  assertStringIncludes(text, "<dd>telegram:1:&lt;b&gt;</dd>");
  assertFalse(text.includes("canary"));
});
