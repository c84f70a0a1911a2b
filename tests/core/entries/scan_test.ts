import { assert, assertEquals } from "@std/assert";
import { MediaCache } from "../../../mod.ts";
import { PairStore } from "../../../src/core/disk/pair_store.ts";
import { FileSystem } from "../../../src/core/disk/file_system.ts";
import { KeyChanges } from "../../../src/core/catalog/key_changes.ts";
import { keyOf } from "../../../src/core/text/key.ts";
import { classify } from "../../../src/core/disk/file_names.ts";
import { scan } from "../../../src/core/entries/scan.ts";
import {
  bytesOf,
  namesIn,
  OLD_MS,
  setAge,
  snapshotOf,
  writePair,
} from "../../fixtures/directory/files.ts";
import { Recorder } from "../../fixtures/cache/recorder.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const KEY = "0123456789abcdef".repeat(4);

Deno.test("classify() counts only names that this cache could have written as its own", () => {
  const kinds = {
    [`${KEY}.dat`]: "dat",
    [`${KEY}.json`]: "json",
    [`${KEY}.12ab34cd0.part`]: "staged",
    [`${KEY}.DAT`]: "foreign",
    [`${KEY.toUpperCase()}.dat`]: "foreign",
    [`${KEY}0.dat`]: "foreign",
    [`${KEY.slice(1)}.dat`]: "foreign",
    [`${KEY}.dat.tmp`]: "foreign",
    [`${KEY}.part`]: "foreign",
    [`${KEY}`]: "foreign",
    [`x${KEY}.dat`]: "foreign",
    [`${KEY}.dat\n`]: "foreign",
    "README.md": "foreign",
    ".json": "foreign",
    "": "foreign",
  };

  for (const [name, kind] of Object.entries(kinds)) {
    assertEquals(classify(name).kind, kind, name);
    assertEquals(classify(name).key, kind === "foreign" ? "" : KEY);
  }
});

Deno.test("scan() skips the files that its own store has staged, locked or not", async () => {
  await using dir = await tempDir();
  const fs = new FileSystem();
  const options = { dir: dir.path, durable: false, readOnly: false };
  const store = new PairStore(fs, options);
  const other = new PairStore(fs, options);
  const leftovers: string[] = [];
  for (const owner of [store, other]) (await owner.stage(KEY)).file.close();

  await scan(store, new KeyChanges(), {
    onEntry() {},
    onLeftover: ({ names }) => leftovers.push(...names),
  });

  assertEquals(leftovers.map((name) => other.isOwn(name)), [true]);
});

for (const change of ["deleted", "stored"]) {
  Deno.test(`an entry ${change} while the scan reads its files is not discovered`, async () => {
    await using dir = await tempDir();
    const { dat, json } = await writePair(dir.path, "a", bytesOf(5));
    await writePair(dir.path, "b", bytesOf(5));
    const options = { dir: dir.path, durable: false, readOnly: false };
    const store = new PairStore(new FileSystem(), options);
    await store.prepare();
    const keyChanges = new KeyChanges();
    const { facts } = store;
    store.facts = (name) => {
      const found = facts.call(store, name);
      const { key } = classify(name);
      if (key !== keyOf("a")) return found;
      store.facts = facts;
      if (change === "stored") keyChanges.note(key);
      else {
        const end = keyChanges.begin(key);
        Deno.removeSync(json);
        Deno.removeSync(dat);
        end();
      }
      return found;
    };
    const found: string[] = [];

    await scan(store, keyChanges, {
      onEntry: ({ url }) => found.push(url),
      onLeftover: ({ reason }) => found.push(reason),
    });

    assertEquals(found, ["b"]);
  });
}

Deno.test("a ts that no date can have counts as the nearest valid time", async () => {
  await using dir = await tempDir();
  await writePair(dir.path, "late", bytesOf(5), { sidecar: { ts: 1e300 } });
  await writePair(dir.path, "early", bytesOf(5), { sidecar: { ts: -1 } });
  await using cache = await MediaCache.open({ cacheDir: dir.path });

  const times = new Map<string, string>();
  for await (const { url, storedAt } of cache.entries()) {
    times.set(url, new Date(storedAt).toISOString());
  }

  assertEquals(times.get("late"), "+275760-09-13T00:00:00.000Z");
  assertEquals(times.get("early"), "1970-01-01T00:00:00.000Z");
});

Deno.test("a sidecar with the url alone makes an entry", async () => {
  await using dir = await tempDir();
  await writePair(dir.path, "a", bytesOf(5), {
    sidecar: {
      mimetype: undefined,
      filename: undefined,
      size: undefined,
      ts: undefined,
    },
  });
  await using cache = await MediaCache.open({ cacheDir: dir.path });

  const [entry] = await Array.fromAsync(cache.entries());

  assertEquals([entry?.mimetype, entry?.filename, entry?.size], [
    "application/octet-stream",
    "attachment",
    5,
  ]);
  assertEquals(entry?.storedAt, 0);
  await using media = await cache.get("a");
  assertEquals(await media?.bytes(), bytesOf(5));
});

Deno.test("a size of 0 stands for the length of the body", async () => {
  await using dir = await tempDir();
  await writePair(dir.path, "a", bytesOf(5), { sidecar: { size: 0 } });
  await using cache = await MediaCache.open({ cacheDir: dir.path });

  await using media = await cache.get("a");

  assertEquals([media?.size, cache.stats().totalBytes], [5, 5]);
});

/** Damages a pair, by one name for each way. */
const WRONG: Record<string, (dir: string, ageMs: number) => Promise<string[]>> =
  {
    "a size that differs": async (dir, ageMs) =>
      files(await writePair(dir, "a", bytesOf(5), pair({ size: 6 }, ageMs))),
    "a size that is text": async (dir, ageMs) =>
      files(await writePair(dir, "a", bytesOf(5), pair({ size: "5" }, ageMs))),
    "a mimetype that is null": async (dir, ageMs) =>
      files(
        await writePair(dir, "a", bytesOf(5), pair({ mimetype: null }, ageMs)),
      ),
    "no url": async (dir, ageMs) =>
      files(
        await writePair(dir, "a", bytesOf(5), pair({ url: undefined }, ageMs)),
      ),
    "the url of another": async (dir, ageMs) =>
      files(await writePair(dir, "a", bytesOf(5), pair({ url: "b" }, ageMs))),
    "an empty body": async (dir, ageMs) =>
      files(await writePair(dir, "a", bytesOf(0), pair({}, ageMs))),
    "no body": async (dir, ageMs) => {
      const { dat, json } = await writePair(
        dir,
        "a",
        bytesOf(5),
        pair({}, ageMs),
      );
      await Deno.remove(dat);
      return [json];
    },
    "no sidecar": async (dir, ageMs) => {
      const { dat, json } = await writePair(
        dir,
        "a",
        bytesOf(5),
        pair({}, ageMs),
      );
      await Deno.remove(json);
      return [dat];
    },
    "a sidecar that is no JSON": (dir, ageMs) => sidecarOf(dir, ageMs, "{"),
    "an empty sidecar": (dir, ageMs) => sidecarOf(dir, ageMs, ""),
    "a sidecar that is null": (dir, ageMs) => sidecarOf(dir, ageMs, "null"),
    "a sidecar that is no UTF-8": (dir, ageMs) =>
      sidecarOf(dir, ageMs, Uint8Array.of(0x22, 0xff, 0x22)),
    "a sidecar of megabytes": (dir, ageMs) =>
      sidecarOf(dir, ageMs, JSON.stringify({ url: "a", x: "x".repeat(2e6) })),
    "a sidecar of brackets": (dir, ageMs) =>
      sidecarOf(dir, ageMs, "[".repeat(60_000)),
  };

function pair(
  sidecar: Record<string, unknown>,
  ageMs: number,
): { sidecar: Record<string, unknown>; ageMs: number } {
  return { sidecar, ageMs };
}

function files({ dat, json }: { dat: string; json: string }): string[] {
  return [dat, json];
}

async function sidecarOf(
  dir: string,
  ageMs: number,
  text: string | Uint8Array,
): Promise<string[]> {
  const { dat, json } = await writePair(dir, "a", bytesOf(5), { ageMs });
  await Deno.writeFile(
    json,
    typeof text === "string" ? new TextEncoder().encode(text) : text,
  );
  await setAge(json, ageMs);
  return [dat, json];
}

Deno.test("a damaged entry is a miss, is reported, and stays until its grace period is over", async (t) => {
  for (const [name, make] of Object.entries(WRONG)) {
    await t.step(name, async () => {
      await using dir = await tempDir();
      await writePair(dir.path, "good", bytesOf(3));
      const paths = await make(dir.path, 9 * 60_000);
      const before = await snapshotOf(dir.path);
      let bytes = 0;
      for (const path of paths) bytes += (await Deno.stat(path)).size;
      const recorder = new Recorder();
      await using cache = await MediaCache.open({
        cacheDir: dir.path,
        onEvent: recorder.onEvent,
      });

      assertEquals(await cache.has("a"), false);
      assertEquals(await cache.get("a"), undefined);
      assertEquals([cache.stats().entries, cache.stats().totalBytes], [1, 3]);
      assertEquals(cache.stats().orphanBytes, bytes);
      const [skipped] = recorder.of("skipped");
      assert(skipped && paths.includes(skipped.path) && skipped.reason !== "");
      assertEquals(await snapshotOf(dir.path), before);

      assertEquals(await cache.put("a", bytesOf(7), "image/png", "a"), true);
      await using media = await cache.get("a");
      assertEquals(await media?.bytes(), bytesOf(7));
    });
  }
});

Deno.test("a damaged entry older than the grace period is removed at the start", async (t) => {
  for (const [name, make] of Object.entries(WRONG)) {
    await t.step(name, async () => {
      await using dir = await tempDir();
      await writePair(dir.path, "good", bytesOf(3));
      await make(dir.path, OLD_MS);
      const recorder = new Recorder();

      await using cache = await MediaCache.open({
        cacheDir: dir.path,
        onEvent: recorder.onEvent,
      });

      assertEquals((await namesIn(dir.path)).length, 2);
      assertEquals(recorder.of("skipped").length, 1);
      const { entries, orphanBytes, diskErrors } = cache.stats();
      assertEquals([entries, orphanBytes, diskErrors], [1, 0, 0]);
      assertEquals(await cache.has("good"), true);
    });
  }
});
