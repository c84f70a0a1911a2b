import { assert, assertEquals } from "@std/assert";
import { MediaCache } from "../../../mod.ts";
import { bytesOf, pathsOf, writePair } from "../../fixtures/directory/files.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const SIZE = 40;

/**
 * The steps in which another process replaces an entry. Each version has its
 * own type.
 */
function replacing(dir: string, version: number): (() => void)[] {
  const { dat, json } = pathsOf(dir, "a");
  const mimetype = `image/x-${version}`;
  const sidecar = { url: "a", size: SIZE, ts: version, mimetype };
  const staged = `${dat}.other`;
  return [
    () => Deno.writeFileSync(staged, bytesOf(SIZE, version)),
    () => Deno.removeSync(json),
    () => Deno.renameSync(staged, dat),
    () => Deno.writeTextFileSync(json, JSON.stringify(sidecar)),
  ];
}

/** Runs an action before the n-th call, counted over these functions. */
function interrupt(
  at: number,
  what: () => void,
): { calls: number } & Disposable {
  const { lstatSync, openSync } = Deno;
  const counter = { calls: 0 };
  const count = () => {
    if (counter.calls++ === at) what();
  };
  Deno.lstatSync = (path) => {
    count();
    return lstatSync(path);
  };
  Deno.openSync = (...args) => {
    count();
    return openSync(...args);
  };
  return Object.assign(counter, {
    [Symbol.dispose]() {
      Object.assign(Deno, { lstatSync, openSync });
    },
  });
}

for (const isKnown of [true, false]) {
  const title = isKnown ? "a known" : "an unknown";
  Deno.test(`a lookup of ${title} entry that is being replaced never mixes two versions`, async () => {
    let found = 0;
    for (let steps = 1; steps <= 4; steps++) {
      for (let at = 0; at < 12; at++) {
        await using dir = await tempDir();
        await writePair(dir.path, "a", bytesOf(SIZE, 1), {
          sidecar: { mimetype: "image/x-1" },
        });
        await using cache = new MediaCache({
          cacheDir: dir.path,
          maxMemoryItems: at % 2,
          onEvent: () => {},
        });
        if (isKnown) await cache.ensureLoaded();

        const replace = replacing(dir.path, 2);
        using _interruption = interrupt(at, () => {
          for (const step of replace.splice(0, steps)) step();
        });
        await using media = await cache.get("a");
        for (const step of replace) step();

        if (media === undefined) continue;
        found++;
        const version = Number(media.mimetype.split("-").at(-1));
        assertEquals(await media.bytes(), bytesOf(SIZE, version));
      }
    }
    assert(found > 12);
  });
}
