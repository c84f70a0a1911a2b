import { assert, assertEquals } from "@std/assert";
import { type DownloadContext, MediaCache } from "../../../mod.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";
import { withoutSignature } from "../../fixtures/servers/signed_origin.ts";

Deno.test("a downloader gets no headers for a first request, and the number of earlier calls", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    canonicalUrl: withoutSignature,
  });
  const contexts: DownloadContext[] = [];
  const refused = Promise.withResolvers<Response>();
  const download = (context: DownloadContext) => {
    contexts.push(context);
    context.headers.set("X-Mine", "1");
    return contexts.length === 1
      ? refused.promise
      : Promise.resolve(new Response("meow"));
  };

  const first = cache.getOrDownload("cat?signature=old", download);
  const second = cache.getOrDownload("cat?signature=new", download);
  refused.resolve(new Response(null, { status: 403 }));
  for (const call of [first, second]) await (await call).bytes();

  assertEquals(contexts.map(({ attempt }) => attempt), [0, 1]);
  assertEquals(
    contexts.map(({ headers }) => [...headers]),
    [[["x-mine", "1"]], [["x-mine", "1"]]],
  );
  assert(contexts[0]?.headers !== contexts[1]?.headers);
});
