/** Entries that get another key while the disk fails, and entries that meet. */
import { assert, assertEquals } from "@std/assert";
import { MediaCache } from "../../../mod.ts";
import { rekeyingOf } from "../../../src/core/inspection.ts";
import { CallFault } from "../../fixtures/faults/disk_faults.ts";
import {
  bytesOf,
  namesIn,
  pathsOf,
  writePair,
} from "../../fixtures/directory/files.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const OLD = "https://example.org/a.png?token=1";
const NEW = "https://example.org/a.png";
const withoutToken = (url: string) => url.split("?")[0] ?? url;

const CALLS = [
  ...["openSync", "renameSync", "removeSync", "utimeSync"] as const,
];

for (const name of CALLS) {
  for (const there of [false, true]) {
    Deno.test(`a move to another key with a failing ${name}() loses no entry, and another one goes on${there ? ": an older entry is there" : ""}`, async () => {
      let hasFailed = true;
      for (let skip = 0; hasFailed; skip++) {
        await using temp = await tempDir();
        const dir = temp.path;
        const { key } = await writePair(dir, OLD, bytesOf(50), {
          sidecar: { ts: 20 },
        });
        if (there) {
          await writePair(dir, NEW, bytesOf(60), { sidecar: { ts: 10 } });
        }
        await using rekeying = rekeyingOf(dir, withoutToken, false);

        {
          using fault = new CallFault(name, new Error("I/O error"), skip);
          await rekeying.move(key).catch(() => {});
          hasFailed = fault.calls > skip;
        }

        await using cache = await MediaCache.open({
          cacheDir: dir,
          onEvent: () => {},
        });
        const found: Uint8Array[] = [];
        for (const url of [OLD, NEW]) {
          await using media = await cache.get(url);
          if (media !== undefined) found.push(await media.bytes());
        }
        assert(found.length > 0, `${name} ${skip}`);
        assertEquals(found.some(({ length }) => length === 50), true);
        for (const each of found) assertEquals(each, bytesOf(each.length));
        await rekeying.move(key);
        // What could not be removed is a leftover, which caches remove later.
        const files = (await namesIn(dir)).filter((each) =>
          !each.endsWith(".part") && each !== `${key}.dat`
        );
        const to = pathsOf(dir, NEW);
        assertEquals(files, [`${to.key}.dat`, `${to.key}.json`]);
        assertEquals(await Deno.readFile(to.dat), bytesOf(50));
      }
    });
  }
}

for (const isNewer of [false, true]) {
  Deno.test(`of two entries that meet, the ${isNewer ? "moved" : "other"} one stays, with the last use of both`, async () => {
    for (const ages of [[1, 2], [2, 1]] as const) {
      await using temp = await tempDir();
      const dir = temp.path;
      const [oldMs, newMs] = ages.map((minutes) => minutes * 60_000);
      const old = await writePair(dir, OLD, bytesOf(50), {
        sidecar: { ts: isNewer ? 20 : 5 },
        ageMs: oldMs!,
      });
      const { dat } = await writePair(dir, NEW, bytesOf(60), {
        sidecar: { ts: 10 },
        ageMs: newMs!,
      });
      const times = await Promise.all(
        [old.dat, dat].map(async (path) => (await Deno.stat(path)).mtime),
      );
      const last = times.toSorted((a, b) => Number(b) - Number(a))[0];
      await using rekeying = rekeyingOf(dir, withoutToken, false);

      assertEquals(await rekeying.move(old.key), "merged");

      assertEquals((await Deno.stat(dat)).mtime, last);
      assertEquals(await Deno.readFile(dat), bytesOf(isNewer ? 50 : 60));
    }
  });
}
