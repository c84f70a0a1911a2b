/** Uploads of entries that a remote tier lacks, while others change the directory. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { pushingOf } from "../../../src/core/inspection.ts";
import { s3Tier } from "../../../src/s3/s3.ts";
import { MediaCache } from "../../../mod.ts";
import { bytesOf, writePair } from "../../fixtures/directory/files.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";
import { S3Engine } from "../../fixtures/remote/s3_engine.ts";

const URL = "https://a/1";
const { signal } = new AbortController();

/** A folder with an entry, and what pushes it. */
async function setting(maxEntryMb = 1) {
  const temp = await tempDir();
  const engine = new S3Engine();
  const tier = s3Tier({ ...engine.options, maxEntryMb });
  const { key } = await writePair(temp.path, URL, bytesOf(3000));
  return {
    ...{ dir: temp.path, engine, tier, key },
    pushing: pushingOf(temp.path, tier),
    object: () => engine.objects.get(`v1/${key.slice(0, 2)}/${key}`)?.bytes,
    async [Symbol.asyncDispose]() {
      await tier.close?.();
      await engine[Symbol.asyncDispose]();
      await temp[Symbol.asyncDispose]();
    },
  };
}

/** Does something while the bytes of the entry are on their way. */
async function meanwhile(
  all: Awaited<ReturnType<typeof setting>>,
  change: () => Promise<unknown>,
) {
  all.engine.hangs = ({ method }) => method === "PUT";
  const hung = all.engine.hung();
  const pushed = all.pushing.push(all.key, { signal });
  await hung;
  await change();
  all.engine.hangs = () => false;
  all.engine.resume();
  return await pushed;
}

Deno.test("an entry that is deleted during its upload is no object in the end", async () => {
  await using all = await setting();
  await using cache = await MediaCache.open({ cacheDir: all.dir });

  const result = await meanwhile(all, () => cache.delete(URL));

  assertEquals(result, "skipped");
  assertEquals(all.object(), undefined);
});

Deno.test("an entry that is replaced during its upload is the new one in the end", async () => {
  await using all = await setting();
  await using cache = await MediaCache.open({ cacheDir: all.dir });
  const newer = bytesOf(100, 7);

  const result = await meanwhile(
    all,
    () => cache.put(URL, newer, "image/png", "b.png", { replace: true }),
  );

  assertEquals(result, "pushed");
  assertEquals(all.object(), newer);
});

Deno.test("an entry above the limit of the tier, or that is gone, is skipped without a request", async () => {
  await using all = await setting(0.001);

  assertEquals(await all.pushing.push(all.key, { signal }), "skipped");
  assertEquals(await all.pushing.push("0".repeat(64), { signal }), "skipped");
  assertEquals(all.engine.requests.length, 0);
});

Deno.test("an upload tells how far it is, and ends by its signal with the file closed", async () => {
  await using all = await setting();
  const { pushing, key, engine } = all;
  engine.hangs = ({ method }) => method === "PUT";
  const hung = engine.hung();
  const controller = new AbortController();
  let told: { received: number; total: number; filename: string } | undefined;
  const pushed = pushing.push(key, {
    signal: controller.signal,
    onUpload: (progress) => told = progress,
  });
  await hung;
  controller.abort(new Error("enough"));

  await assertRejects(() => pushed, Error, "enough");
  assertEquals([told?.total, told?.filename], [3000, "a.png"]);
  assert((told?.received ?? 0) <= 3000);
});
