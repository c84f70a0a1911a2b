import { assert, assertEquals } from "@std/assert";
import { MediaCache } from "../../../mod.ts";
import { IoMode } from "../../../src/core/disk/io_mode.ts";
import {
  bodyBytesIn,
  bytesOf,
  namesIn,
} from "../../fixtures/directory/files.ts";
import { Random } from "../../fixtures/inputs/random.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const MAX_BYTES = 5_000;

/**
 * Makes every disk a slow one until the end of the test, so that calls overlap
 * at each step.
 */
function slowDisks(): Disposable {
  const { run } = IoMode.prototype;
  IoMode.prototype.run = (_sync, deferred, ...args) => deferred(...args);
  return {
    [Symbol.dispose]() {
      IoMode.prototype.run = run;
    },
  };
}

async function check(
  media: { bytes(): Promise<Uint8Array> } | undefined,
  seed: number,
  hint: string,
): Promise<void> {
  if (media === undefined) return;
  const bytes = await media.bytes();
  assertEquals(bytes, bytesOf(bytes.length, seed), hint);
}

/** Does one operation on one of ten URLs, whose bytes tell them apart. */
async function act(cache: MediaCache, random: Random): Promise<void> {
  const seed = random.integer(0, 9);
  const url = `${seed}`;
  const data = bytesOf(random.integer(1, 2_000), seed);
  const kind = random.integer(0, 99);
  for (let steps = random.integer(0, 40); steps > 0; steps--) {
    await Promise.resolve();
  }
  if (kind < 30) await check(await cache.get(url), seed, random.hint);
  else if (kind < 55) {
    const replace = kind % 2 === 0;
    await cache.put(url, data, "image/png", "a.png", { replace });
  } else if (kind < 75) {
    const media = await cache.getOrDownload(
      url,
      () => Promise.resolve({ data }),
    );
    await check(media, seed, random.hint);
    await media.stored;
  } else if (kind < 90) await cache.delete(url);
  else if (kind < 92) await cache.clear();
  else if (kind < 96) await cache.verify({ fix: true });
  else await cache.has(url);
}

for (const kind of ["fast", "slow"]) {
  Deno.test(`on a ${kind} disk hundreds of concurrent calls leave whole entries, and numbers equal to those of the disk`, async () => {
    using _slow = kind === "slow" ? slowDisks() : undefined;
    const random = new Random();
    for (let round = 0; round < 12; round++) {
      await using dir = await tempDir();
      await using cache = new MediaCache({
        cacheDir: dir.path,
        maxSizeMb: MAX_BYTES / 1_048_576,
        maxMemoryItems: round % 3,
        onEvent: () => {},
      });

      await Promise.all(
        Array.from({ length: 300 }, () => act(cache, random)),
      );

      const names = await namesIn(dir.path);
      const bytes = await bodyBytesIn(dir.path);
      assert(names.every((name) => !name.endsWith(".part")), random.hint);
      assert(bytes <= MAX_BYTES, random.hint);
      const { entries, totalBytes, diskErrors, stagedBytes, orphanBytes } =
        cache.stats();
      assertEquals(
        { entries, totalBytes, diskErrors, stagedBytes, orphanBytes },
        {
          entries: names.length / 2,
          totalBytes: bytes,
          diskErrors: 0,
          stagedBytes: 0,
          orphanBytes: 0,
        },
        random.hint,
      );
    }
  });
}
