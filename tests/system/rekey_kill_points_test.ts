import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { MediaCache } from "../../mod.ts";
import { platforms } from "../../src/platforms/platforms.ts";
import { bytesOf, isThere, writePair } from "../fixtures/directory/files.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";
import {
  describe,
  type Fault,
  faultEnv,
  type FaultOptions,
  type Operation,
  parseOperation,
} from "./fault_injection.ts";

const FILE = "https://cdn.discordapp.com/attachments/10";
const signed = (file: string, n: number) =>
  `${FILE}/${file}?ex=${n}&is=${n}&hm=canary${n}`;

/** Entries with their length, and the time of their store in seconds. */
const BEFORE = [
  [signed("alone.png", 1), 10, 1],
  [signed("twice.png", 1), 20, 1],
  [signed("twice.png", 2), 21, 2],
  [`${FILE}/older.png`, 30, 1],
  [signed("older.png", 1), 31, 2],
  [`${FILE}/newer.png`, 40, 2],
  [signed("newer.png", 1), 41, 1],
  ["https://example.com/other.png?token=stays", 50, 1],
] as const;

/** The length of the body that each canonical URL has in the end. */
const AFTER: Record<string, number> = {
  [`${FILE}/alone.png`]: 10,
  [`${FILE}/twice.png`]: 21,
  [`${FILE}/older.png`]: 31,
  [`${FILE}/newer.png`]: 40,
  "https://example.com/other.png?token=stays": 50,
};

const canonical = platforms();

/** Runs `media-cache rekey`; its complaints, and the operations up to its end. */
async function rekey(dir: string, options: FaultOptions = {}) {
  const log = join(dir, "../log");
  await Deno.writeTextFile(log, "");
  const path = (name: string) => new URL(name, import.meta.url).pathname;
  const { stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-check", "--allow-all"],
      `--config=${path("../../deno.json")}`,
      ...[path("../../src/cli/main.ts"), "rekey", "--dir", dir],
    ],
    env: { NO_COLOR: "1", ...await faultEnv(dir, { log, ...options }) },
  }).output();
  const operations = (await Deno.readTextFile(log)).split("\n")
    .map(parseOperation).filter((each) => each !== undefined);
  return { operations, stderr: new TextDecoder().decode(stderr) };
}

/** The entries of a folder: the lengths of their bodies by URL. */
async function entriesIn(dir: string): Promise<Record<string, number>> {
  await using cache = await MediaCache.open({ cacheDir: dir });
  const found: Record<string, number> = {};
  for await (const { url } of cache.entries()) {
    const bytes = await (await cache.get(url))?.bytes();
    assert(bytes !== undefined, "an entry can't be read");
    assertEquals(bytes, bytesOf(bytes.length));
    found[url] = bytes.length;
    const handle = await cache.handle(url, "place");
    // A note that a killed run has left behind costs one upload.
    assert(handle === undefined || handle === `${bytes.length}`, url);
  }
  return found;
}

/** The whole pairs of a folder, which no cache has tidied: URL and length. */
async function pairsIn(dir: string): Promise<[string, number][]> {
  const found: [string, number][] = [];
  for await (const { name } of Deno.readDir(dir)) {
    const [key, ending] = name.split(".");
    const dat = join(dir, `${key}.dat`);
    if (ending !== "json" || !await isThere(dat)) continue;
    const { url } = JSON.parse(await Deno.readTextFile(join(dir, name)));
    const bytes = await Deno.readFile(dat);
    assertEquals(bytes, bytesOf(bytes.length));
    found.push([url, bytes.length]);
    const note = join(dir, `${key}.note`);
    if (!await isThere(note)) continue;
    const { handles: { place } } = JSON.parse(await Deno.readTextFile(note));
    assertEquals(place, `${bytes.length}`);
  }
  return found;
}

/** Runs `rekey` with a fault, and then again; the operations of the first run. */
async function runTwice(options: FaultOptions): Promise<Operation[]> {
  await using temp = await tempDir();
  const dir = join(temp.path, "cache");
  await Deno.mkdir(dir);
  for (const [url, size, ts] of BEFORE) {
    const { key } = await writePair(dir, url, bytesOf(size), {
      sidecar: { ts },
    });
    const note = JSON.stringify({ handles: { place: `${size}` } });
    await Deno.writeTextFile(join(dir, `${key}.note`), note);
  }
  const first = await rekey(dir, options);
  // Each media has an entry, under whichever URL, with a body of its own.
  const between = await pairsIn(dir);
  const lengths = Map.groupBy(
    between,
    ([url]) => canonical(url),
  );
  assertEquals(new Set(lengths.keys()), new Set(Object.keys(AFTER)));
  for (const [url, found] of lengths) {
    const own = BEFORE.filter(([each]) => canonical(each) === url)
      .map(([, size]) => size as number);
    for (const [, length] of found) assert(own.includes(length));
    assert(found.some(([, length]) => length === AFTER[url]));
  }

  const second = await rekey(dir);
  assertEquals(second.stderr, "");
  assertEquals(await entriesIn(dir), AFTER);
  for await (const { name } of Deno.readDir(dir)) {
    if (name.startsWith(".media-cache.lent")) continue;
    const text = await Deno.readTextFile(join(dir, name));
    assert(!text.includes("canary"), name);
  }
  return first.operations;
}

/** Runs `rekey` with a fault at each operation that changes the folder. */
async function runAtEach(fault: Fault): Promise<void> {
  const operations = await runTwice({});
  const problems: string[] = [];
  for (const operation of operations) {
    if (fault.action === "half" && operation.name !== "write") continue;
    try {
      await runTwice({ fault, at: operation.number });
    } catch (error) {
      problems.push(`${describe(operation)}: ${error}`);
    }
  }
  assertEquals(problems, []);
  assert(operations.length > 20);
}

Deno.test("rekey loses no entry, keeps no token and mixes no notes, wherever it is killed", async () => {
  await runAtEach({ action: "kill" });
  await runAtEach({ action: "half" });
});

Deno.test("rekey loses no entry, keeps no token and mixes no notes, whatever the disk refuses", async () => {
  await runAtEach({ action: "fail", code: "EIO" });
});
