import { assertEquals, assertStringIncludes } from "@std/assert";
import { REFUSABLES } from "../../src/core/text/refusable.ts";
import { CallFault } from "../fixtures/faults/disk_faults.ts";
import { bytesOf } from "../fixtures/directory/files.ts";
import { mounted, statusOf } from "../fixtures/servers/mounted.ts";

Deno.test("the router reports refused operations to programs and people, and stays healthy", async () => {
  await using router = await mounted({}, { onEvent() {} });
  const samples = async () => {
    const text = await (await router.ask("/metrics")).text();
    return text.split("\n").filter((line) =>
      line.startsWith("media_cache_degraded{")
    );
  };
  const values = (refused: string) =>
    REFUSABLES.map((operation) => {
      const value = operation === refused ? 1 : 0;
      return `media_cache_degraded{operation="${operation}"} ${value}`;
    });
  assertEquals(await samples(), values("none"));

  {
    const error = new Deno.errors.PermissionDenied("Operation not permitted");
    using _fault = new CallFault("utimeSync", error);
    await router.cache.put("a:", bytesOf(3), "image/png", "a.png");
  }

  const { media_cache: stats } = await (await router.ask("/stats")).json();
  assertEquals(stats.degraded, ["utime"]);
  assertEquals(await samples(), values("utime"));
  assertEquals(await statusOf(router.ask("/healthz")), 200);
  const page = await (await router.ask("/")).text();
  assertStringIncludes(page, "The file system refuses utime:");
  assertStringIncludes(page, "a restart forgets which entries were used last");
});
