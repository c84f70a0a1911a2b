import { assertRejects } from "@std/assert";
import { DownloadTimeoutError, MediaCache } from "../../../mod.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

Deno.test("a source of nothing but empty chunks ends by the idle timeout", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    idleTimeoutMs: 50,
  });
  const data = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new Uint8Array(0)),
  });

  await assertRejects(
    () => cache.getOrDownload("a", () => Promise.resolve({ data })),
    DownloadTimeoutError,
  );
});
