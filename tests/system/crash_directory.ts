/**
 * The directory of an interrupted cache: its start, and the checks after the
 * interruption.
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { MediaCache } from "../../mod.ts";
import { keyOf } from "../../src/core/text/key.ts";
import { pattern } from "../fixtures/bodies/bytes.ts";
import {
  bytesOf,
  namesIn,
  OLD_MS,
  setAge,
  writePair,
} from "../fixtures/directory/files.ts";
import { StoppedClock } from "../fixtures/time/stopped_clock.ts";
import { GIF, type Scenario, type Version } from "./crash_scenarios.ts";

/** The versions that may be stored under each URL; null stands for none. */
export type Allowed = Map<string, Set<Version | null>>;

/**
 * The name of a file that only a cache makes: bodies, sidecars and staged
 * files.
 */
const OURS_REGEXP = /^([0-9a-f]{64})\.(?:dat|json|(?:.+\.)?part)$/;

/** Similar names that do not belong to a cache. */
const FOREIGN = [
  "notes.txt",
  "abc.dat",
  "abc.json",
  `${"0".repeat(64)}.dat.bak`,
  "x.part",
];

/** Fills a directory for a scenario, or leaves it to be made. */
export async function prepare(dir: string, scenario: Scenario): Promise<void> {
  const { before, hasLeftovers, half, isIndexed } = scenario;
  if (before.length === 0) return;
  await Deno.mkdir(dir);
  for (const [i, version] of before.entries()) {
    const { url, seed, size, mimetype, filename, isRotten } = version;
    const sha256 = isRotten ? "0".repeat(64) : undefined;
    await writePair(dir, url, pattern(size, seed), {
      sidecar: { mimetype, filename, sha256 },
      ageMs: OLD_MS + (before.length - i) * 60_000,
    });
  }
  for (const name of FOREIGN) await Deno.writeTextFile(join(dir, name), name);
  if (isIndexed) await (await MediaCache.open({ cacheDir: dir })).close();
  if (hasLeftovers) await addLeftovers(dir);
  for (const url of half) await addHalf(dir, url);
}

/** Files of a process that was killed while it downloaded. */
async function addHalf(dir: string, url: string): Promise<void> {
  const path = join(dir, keyOf(url));
  const facts = { mimetype: "test/x-half", filename: "half.bin", staged: 1 };
  await Deno.writeFile(`${path}.download.part`, bytesOf(7));
  await Deno.writeTextFile(
    `${path}.description.part`,
    JSON.stringify(facts),
  );
}

/** Files of every kind that is not an entry, old and young. */
async function addLeftovers(dir: string): Promise<void> {
  for (const [age, ageMs] of [["old", OLD_MS], ["young", 0]] as const) {
    const body = await writePair(dir, `${age} body`, bytesOf(5), { ageMs });
    await Deno.remove(body.json);
    const sidecar = await writePair(dir, `${age} sidecar`, bytesOf(5), {
      ageMs,
    });
    await Deno.remove(sidecar.dat);
    await writePair(dir, `${age} mismatch`, bytesOf(5), {
      ageMs,
      sidecar: { size: 6 },
    });
    const unreadable = await writePair(dir, `${age} unreadable`, bytesOf(5), {
      ageMs,
    });
    await Deno.writeTextFile(unreadable.json, "{");
    await setAge(unreadable.json, ageMs);
    const staged = join(dir, `${keyOf(`${age} staged`)}.12ab0.part`);
    await Deno.writeFile(staged, bytesOf(5));
    await setAge(staged, ageMs);
  }
}

/** The steps in a worker's log. */
export interface Course {
  /** The steps that began. */
  begun: Set<number>;
  /** The steps that ended. */
  ended: Set<number>;
}

/** Reads the notes of a worker among the operations. */
export function courseOf(lines: readonly string[]): Course {
  const numbers = (word: string) =>
    new Set(
      lines.filter((line) => line.startsWith(word)).map((line) =>
        Number(line.split(" ")[1])
      ),
    );
  return { begun: numbers("begin"), ended: numbers("end") };
}

/**
 * The versions that may be stored after these steps.
 *
 * @param keeps Whether the result of a step that ended must still be there.
 */
export function allowedAfter(
  { before, steps }: Scenario,
  { begun, ended }: Course,
  keeps: (version: Version | null) => boolean,
): Allowed {
  const allowed: Allowed = new Map();
  for (const version of before) allowed.set(version.url, new Set([version]));
  for (const { after } of steps) {
    for (const url of Object.keys(after)) {
      if (!allowed.has(url)) allowed.set(url, new Set([null]));
    }
  }
  for (const [i, { after }] of steps.entries()) {
    if (!begun.has(i)) break;
    for (const [url, version] of Object.entries(after)) {
      const isSure = ended.has(i) && keeps(version);
      const versions = isSure
        ? [version]
        : [...allowed.get(url) ?? [], version, null];
      allowed.set(url, new Set(versions));
    }
  }
  return allowed;
}

/**
 * Opens the directory as the next start does, and checks that every entry is
 * one of the allowed versions, and whole; that all other files count as
 * leftovers; and that after the grace period none of these remains, while
 * foreign files and the entries do.
 *
 * @param video The bytes that the GIF becomes.
 */
export async function checkDirectory(
  dir: string,
  scenario: Scenario,
  allowed: Allowed,
  video: Uint8Array,
): Promise<void> {
  const hadForeign = scenario.before.length > 0;
  const found = await look(dir, allowed, video);
  assertEquals(found.orphanBytes, found.outsideBytes, "orphanBytes");

  for (const name of await namesIn(dir)) {
    if (OURS_REGEXP.test(name)) await setAge(join(dir, name), OLD_MS);
  }
  const later = await look(dir, allowed, video);

  assertEquals(later.entries, found.entries, "entries after the grace");
  assertEquals(later.outside, [], "leftovers after the grace");
  assertEquals(later.orphanBytes, 0);
  const names = await namesIn(dir);
  for (const name of hadForeign ? FOREIGN : []) {
    assert(names.includes(name), `${name} is gone`);
    assertEquals(await Deno.readTextFile(join(dir, name)), name);
  }
}

/** The view of a new cache on a directory. */
interface Look {
  /** A line for each entry. */
  entries: string[];
  /** Names of cache files that belong to no entry. */
  outside: string[];
  /** The bytes of these files. */
  outsideBytes: number;
  /** The bytes of them that the cache states. */
  orphanBytes: number;
}

async function look(
  dir: string,
  allowed: Allowed,
  video: Uint8Array,
): Promise<Look> {
  // No .part file grows old between the numbers of the cache and the look at the disk.
  using _clock = new StoppedClock();
  await using cache = await MediaCache.open({
    cacheDir: dir,
    onEvent: () => {},
  });
  const keys = new Set<string>();
  const entries: string[] = [];
  for await (const { key, url, size } of cache.entries()) {
    assert(allowed.has(url), `nobody stored ${url}`);
    keys.add(key);
    entries.push(`${url} ${size}`);
  }
  for (const [url, versions] of allowed) {
    assertEquals(await cache.has(url), keys.has(keyOf(url)), `has(${url})`);
    const stored = await versionOf(cache, url, [...versions], video);
    assertEquals(stored !== undefined, keys.has(keyOf(url)), `get(${url})`);
  }
  const { orphanBytes, diskErrors } = cache.stats();
  assertEquals(diskErrors, 0, "diskErrors");
  const outside = (await namesIn(dir)).filter((name) => {
    const key = OURS_REGEXP.exec(name)?.[1];
    return key !== undefined && (!keys.has(key) || name.endsWith(".part"));
  });
  let outsideBytes = 0;
  for (const name of outside) {
    outsideBytes += (await Deno.lstat(join(dir, name))).size;
  }
  return { entries: entries.sort(), outside, outsideBytes, orphanBytes };
}

/** The version that is stored under a URL; it must be one of the given ones. */
async function versionOf(
  cache: MediaCache,
  url: string,
  versions: (Version | null)[],
  video: Uint8Array,
): Promise<Version | undefined> {
  await using media = await cache.get(url);
  if (media === undefined) {
    assert(versions.includes(null), `${url} is lost`);
    return undefined;
  }
  const { mimetype, filename } = media;
  const bytes = await media.bytes();
  for (const version of versions) {
    if (version?.mimetype !== mimetype || version.filename !== filename) {
      continue;
    }
    const whole = version.isGif ? video : pattern(version.size, version.seed);
    assertEquals(bytes.length, whole.length, `the length of ${filename}`);
    assert(
      bytes.every((byte, i) => byte === whole[i]),
      `${filename} has the bytes of another`,
    );
    return version;
  }
  throw new Error(`${url} must not be there as ${filename}`);
}

/** The video that the GIF becomes. */
export async function convertGif(dir: string): Promise<Uint8Array> {
  await using cache = await MediaCache.open({ cacheDir: dir });
  const download = () => Promise.resolve({ data: GIF });
  await using media = await cache.getOrDownload("gif", download);
  assertEquals(media.mimetype, "video/mp4");
  return await media.bytes();
}
