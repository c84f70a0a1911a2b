import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import type { MediaCache } from "../../mod.ts";
import { DERIVED } from "../fixtures/directory/files.ts";
import type { Caps } from "./cache_model.ts";

/**
 * No sidecar is longer in these tests; a sidecar may be on its way to its name.
 */
const MAX_SIDECAR_BYTES = 1_000;

/** The contents of a directory. */
export interface Directory {
  /** The length of every file by its name. */
  readonly sizes: ReadonlyMap<string, number>;
  /** Bytes of all bodies. */
  readonly bodyBytes: number;
  /** Bytes of all staged files. */
  readonly stagedBytes: number;
}

/** Reads a directory, some files of which are `strays`. */
export function look(
  dir: string,
  strays: ReadonlyMap<string, unknown> = new Map(),
): Directory {
  const sizes = new Map<string, number>();
  let bodyBytes = 0;
  let stagedBytes = 0;
  const staged = new Set<number | null>();
  for (const { name } of Deno.readDirSync(dir)) {
    if (DERIVED.includes(name)) continue;
    const info = infoOf(join(dir, name));
    // Another operation may have removed it since.
    if (info === undefined) continue;
    const { size, ino } = info;
    sizes.set(name, size);
    if (strays.has(name)) continue;
    if (name.endsWith(".dat")) bodyBytes += size;
    if (name.endsWith(".description.part")) continue;
    // A GIF has two names while it is being converted.
    if (name.endsWith(".part") && !staged.has(ino)) stagedBytes += size;
    staged.add(ino);
  }
  return { sizes, bodyBytes, stagedBytes };
}

/** Checks the facts that must hold at any time, during any operation. */
export function assertBounds(
  cache: MediaCache,
  directory: Directory,
  caps: Caps,
  isTrimmed = true,
): void {
  const { totalBytes, stagedBytes, memoryBytes, entriesInMemory, entries } =
    cache.stats();
  const { maxBytes, maxEntryBytes, maxMemoryBytes, maxMemoryItems } = caps;
  atMost("staged", stagedBytes, maxEntryBytes);
  atMost(
    "staged on disk",
    directory.stagedBytes,
    maxEntryBytes + MAX_SIDECAR_BYTES,
  );
  atMost("memory", memoryBytes, maxMemoryBytes);
  atMost("memory items", entriesInMemory, maxMemoryItems);
  atMost("memory items", entriesInMemory, entries);
  if (!isTrimmed) return;
  atMost("committed", totalBytes, maxBytes);
  atMost("committed on disk", directory.bodyBytes, maxBytes);
}

/**
 * Checks that the numbers are those of the directory, while no operation runs.
 */
export async function assertAccounts(
  cache: MediaCache,
  { sizes, bodyBytes }: Directory,
  strays: ReadonlyMap<string, { bytes: number }> = new Map(),
): Promise<void> {
  const infos = await Array.fromAsync(cache.entries());
  const { entries, totalBytes, stagedBytes, orphanBytes, inFlight } = cache
    .stats();
  assertEquals([stagedBytes, inFlight], [0, 0], "something is left running");
  assertEquals([entries, totalBytes], [infos.length, bodyBytes]);
  let strayBytes = 0;
  for (const { bytes } of strays.values()) strayBytes += bytes;
  assertEquals(orphanBytes, strayBytes, "bytes of orphans");
  for (const { key, size } of infos) {
    assertEquals(sizes.get(`${key}.dat`), size, "size of an entry");
  }
  const names = infos.flatMap(({ key }) => [`${key}.dat`, `${key}.json`]);
  assertEquals(
    [...sizes.keys()].sort(),
    [...names, ...strays.keys()].sort(),
    "names in the directory",
  );
}

function atMost(what: string, actual: number, most: number): void {
  assert(actual <= most, `${what}: ${actual} instead of ${most} at the most`);
}

function infoOf(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
