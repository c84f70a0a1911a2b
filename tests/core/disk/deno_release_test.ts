import { assertEquals, assertMatch } from "@std/assert";
import { LEAST_DENO } from "../../../src/core/disk/deno_release.ts";
import { runProgram } from "../../fixtures/processes/program.ts";

/** The first lines of a program that sees a Deno without `tryLock()`. */
const OLD_DENO = `
  delete Deno.FsFile.prototype.tryLockSync;
  delete Deno.FsFile.prototype.tryLock;`;

const PROBLEM =
  `Deno must be ${LEAST_DENO} or later: this is ${Deno.version.deno}`;

Deno.test("on a Deno without non-blocking file locks open() rejects and names the release needed", async () => {
  const [opened, readOnly, loaded, probed, isMade] = await runProgram(`
    ${OLD_DENO}
    const failure = (error) => [error.name, error.message];
    const tell = (value) => console.log(JSON.stringify(value));
    tell(await MediaCache.open({ cacheDir }).catch(failure));
    tell(await MediaCache.open({ cacheDir, readOnly: true }).catch(failure));
    const cache = new MediaCache({ cacheDir });
    tell(await cache.ensureLoaded().catch(failure));
    tell(await cache.probe());
    tell(await Deno.stat(cacheDir).then(() => true, () => false));
    await cache.close();
  `);

  const failure = ["MediaCacheError", `Cannot open cache: ${PROBLEM}`];
  assertEquals([opened, readOnly, loaded], [failure, failure, failure]);
  assertEquals([probed, isMade], [PROBLEM, false]);
});

Deno.test("on such a Deno an unopened cache returns downloads and says once why nothing is stored", async () => {
  const [seen, warnings, events] = await runProgram(`
    ${OLD_DENO}
    const warnings = [];
    console.warn = (line) => warnings.push(line);
    const download = async () => ({ data: new Uint8Array(3) });
    async function use(options) {
      const cache = new MediaCache({ cacheDir, ...options });
      const seen = [
        await cache.put("a", new Uint8Array(3), "image/png", "a.png"),
        await cache.get("a") ?? null,
        await cache.has("a"),
        await cache.delete("a"),
        await Array.fromAsync(cache.entries()),
      ];
      for (let i = 0; i < 2; i++) {
        const media = await cache.getOrDownload("a", download);
        seen.push((await media.bytes()).length, await media.stored);
      }
      await cache.clear();
      seen.push(cache.stats().diskErrors);
      await cache.close();
      return seen;
    }
    const seen = await use({});
    const events = [];
    const onEvent = ({ type, reason = "" }) => events.push([type, reason]);
    await use({ onEvent });
    for (const each of [seen, warnings, events]) {
      console.log(JSON.stringify(each));
    }
  `) as [unknown[], string[], [string, string?][]];

  const downloads = [3, false, 3, false];
  assertEquals(seen, [false, null, false, false, [], ...downloads, 1]);
  assertEquals(warnings.length, 1);
  assertMatch(warnings[0] ?? "", new RegExp(`${PROBLEM}$`));
  assertEquals(
    events.filter(([type]) => type !== "miss"),
    [
      ["diskError", ""],
      ["uncached", "the directory can't be used"],
      ["uncached", "the directory can't be used"],
    ],
  );
});

Deno.test("the README names the release of Deno that is needed", async () => {
  const url = new URL("../../../README.md", import.meta.url);
  const text = await Deno.readTextFile(url);

  const [, install = ""] = text.split(/^## /m);
  assertMatch(
    install,
    new RegExp(`^Install\n[^]*\\bDeno\\b[^.]* ${LEAST_DENO} or later`),
  );
});
