import { assertEquals } from "@std/assert";
import type { EntryInfo, MediaCache } from "../../mod.ts";
import { pattern } from "../fixtures/bodies/bytes.ts";
import {
  type Mounted,
  mounted,
  statusOf,
} from "../fixtures/servers/mounted.ts";

interface Page {
  entries: EntryInfo[];
  next: string | null;
}

async function page(router: Mounted, query: string): Promise<Page> {
  return await (await router.ask(`/entries?${query}`)).json();
}

/** All pages, one after the other; an action runs before each. */
async function names(
  router: Mounted,
  query: string,
  between?: (cache: MediaCache) => Promise<unknown>,
): Promise<string[]> {
  const found: string[] = [];
  let cursor = "";
  for (;;) {
    const { entries, next } = await page(router, query + cursor);
    found.push(...entries.map(({ filename }) => filename));
    if (next === null) return found;
    cursor = `&cursor=${next}`;
    await between?.(router.cache);
  }
}

async function fill(cache: MediaCache): Promise<void> {
  for (const [i, name] of ["c", "a", "e", "b", "d"].entries()) {
    const size = [30, 50, 10, 50, 20][i]!;
    const type = name === "e" ? "video/mp4" : "image/png";
    await cache.put(`x:${name}`, pattern(size), type, `${name}.bin`);
  }
}

Deno.test("/entries lists the entries of entries(), most recent first", async () => {
  await using router = await mounted({ access: "trusted" });
  await fill(router.cache);

  const response = await router.ask("/entries");
  const { entries, next }: Page = await response.json();

  assertEquals(entries, await Array.fromAsync(router.cache.entries()));
  assertEquals(next, null);
  assertEquals(response.headers.get("Cache-Control"), "no-store");
  assertEquals(router.cache.stats().hits, 0);
});

Deno.test("/entries sorts, and its pages hold each entry once", async () => {
  await using router = await mounted({ access: "trusted" });
  await fill(router.cache);
  await router.cache.get("x:c");
  const order = async (query: string) =>
    (await names(router, query)).map((name) => name[0]).join("");

  for (const limit of [1, 2, 3, 5, 50]) {
    assertEquals(await order(`sort=access&limit=${limit}`), "cdbea");
    assertEquals(await order(`sort=stored&limit=${limit}`), "dbeac");
    assertEquals(await order(`sort=name&limit=${limit}`), "abcde");
    const bySize = await order(`sort=size&limit=${limit}`);
    assertEquals(bySize.slice(2), "cde");
    assertEquals([...bySize.slice(0, 2)].sort(), ["a", "b"]);
  }
});

Deno.test("/entries skips and repeats no entry that stays, while others come and go", async () => {
  await using router = await mounted({ access: "trusted" });
  await fill(router.cache);
  let step = 0;

  const found = await names(router, "sort=name&limit=2", async (cache) => {
    step++;
    await cache.delete(step === 1 ? "x:a" : "x:e");
    await cache.put(`x:0${step}`, pattern(1), "image/png", `0${step}.bin`);
    await cache.get("x:c");
  });

  assertEquals(found, ["a.bin", "b.bin", "c.bin", "d.bin"]);
});

Deno.test("/entries finds parts of URL, name and type in any case", async () => {
  await using router = await mounted({ access: "trusted" });
  await fill(router.cache);

  assertEquals(await names(router, "q=X:E"), ["e.bin"]);
  assertEquals(await names(router, "q=VIDEO"), ["e.bin"]);
  assertEquals(await names(router, "q=b.bin"), ["b.bin"]);
  assertEquals(await names(router, "q=image&sort=name&limit=1"), [
    "a.bin",
    "b.bin",
    "c.bin",
    "d.bin",
  ]);
  assertEquals(await names(router, "q=nothing"), []);
});

Deno.test("/entries refuses invalid parameters", async () => {
  await using router = await mounted({ access: "trusted" });
  await fill(router.cache);
  const { next } = await page(router, "sort=size&limit=1");

  for (
    const query of [
      "sort=color",
      "sort=toString",
      "limit=0",
      "limit=1001",
      "limit=x",
      "cursor=x",
      "cursor=W10",
      `sort=name&cursor=${next}`,
    ]
  ) {
    assertEquals(await statusOf(router.ask(`/entries?${query}`)), 400, query);
  }
});
