import type { EntryInfo } from "../../core/api/entry_info.ts";
import { evictingOf, occupiedBytesOf } from "../../core/inspection.ts";
import type { Call } from "../call/call.ts";
import type { Command } from "../call/command.ts";
import { DIR_OPTION, JSON_OPTION } from "../call/command_option.ts";
import { openCache } from "../call/directory.ts";
import { recordOf, shortKey } from "../output/entry_record.ts";
import { EXIT, reasonOf, UsageError } from "../call/failures.ts";
import {
  formatAge,
  formatBytes,
  formatEntries,
} from "../../core/text/quantities.ts";

/** `prune`: removes entries until the folder fits a limit. */
export const prune: Command = {
  name: "prune",
  operands: "--max-size-mb N | --max-disk-mb N",
  summary: "remove the least recently used entries until the rest fits",
  details: ["1 Mb is 1,048,576 bytes; fractions are allowed, 0 removes all."],
  options: {
    dir: DIR_OPTION,
    "max-size-mb": { value: "N", help: "the most that entries may take" },
    "max-disk-mb": {
      value: "N",
      help: "likewise, for all that the folder takes on disk",
    },
    "dry-run": { help: "only tell what would go" },
    json: JSON_OPTION,
  },
  permissions: [
    "--allow-read=DIR --allow-write=DIR",
    "--allow-read=DIR   with --dry-run",
  ],
  json: [
    "{ evicted: [{ key, mimetype, filename, size, storedAt, lastAccess }],",
    "  entries, totalBytes, maxBytes, dryRun }",
    "(entries and totalBytes are what is left; maxBytes is null without",
    "--max-size-mb; with --max-disk-mb also occupiedBytes and maxDiskBytes)",
  ],
  run,
};

async function run(call: Call): Promise<number> {
  call.expectNoOperands();
  const { output } = call;
  const maxBytes = bytesOf(call.number("max-size-mb"));
  const maxDiskBytes = bytesOf(call.number("max-disk-mb"));
  if (maxBytes === undefined && maxDiskBytes === undefined) {
    throw new UsageError("--max-size-mb is missing, or --max-disk-mb");
  }
  const dryRun = call.flag("dry-run");
  const withJson = call.flag("json");
  await using opened = await openCache(call, { readOnly: dryRun });
  const { cache } = opened;
  // Disk errors do not count: opening may fail to write on a full disk, which is a
  // reason to prune.
  await cache.ensureLoaded();
  await using evicting = evictingOf(call.dir);

  // Entries come most recent first, so victims are taken from the end.
  const left = await Array.fromAsync(cache.entries());
  let totalBytes = left.reduce((sum, { size }) => sum + size, 0);
  let { occupiedBytes } = cache.stats();
  const fits = () =>
    totalBytes <= (maxBytes ?? Infinity) &&
    occupiedBytes <= (maxDiskBytes ?? Infinity);
  const evicted: EntryInfo[] = [];
  while (!fits()) {
    const victim = left.pop();
    if (victim === undefined) break;
    try {
      // An entry removed by another process takes no room either.
      if (!dryRun) await evicting.evict(victim.key);
    } catch (error) {
      output.complain(`can't evict an entry: ${reasonOf(error)}`);
      return EXIT.failure;
    }
    totalBytes -= victim.size;
    occupiedBytes -= occupiedBytesOf(victim);
    evicted.push(victim);
    if (!withJson) await output.print(lineOf(victim));
    if (dryRun || !fits() && left.length > 0) continue;
    // The list of changes has grown: the cache learns of that here.
    await cache.entries().next();
    occupiedBytes = cache.stats().occupiedBytes;
  }

  if (withJson) {
    await output.json({
      evicted: evicted.map((entry) => recordOf(entry, false)),
      entries: left.length,
      totalBytes,
      maxBytes: maxBytes ?? null,
      ...(maxDiskBytes !== undefined && { occupiedBytes, maxDiskBytes }),
      dryRun,
    });
    return EXIT.ok;
  }
  const freed = evicted.reduce((sum, { size }) => sum + size, 0);
  const onDisk = maxDiskBytes === undefined
    ? ""
    : ` (${formatBytes(occupiedBytes)} on disk)`;
  await output.print(
    `${formatEntries(evicted.length)} ${dryRun ? "would go" : "removed"}, ${
      formatBytes(freed)
    }; ${formatEntries(left.length)} left, ${formatBytes(totalBytes)}${onDisk}`,
    "bold",
  );
  return EXIT.ok;
}

function bytesOf(mb: number | undefined): number | undefined {
  return mb === undefined ? undefined : Math.floor(mb * 1_048_576);
}

function lineOf({ key, size, lastAccess, filename }: EntryInfo): string {
  const bytes = formatBytes(size).padStart(10);
  const age = formatAge(lastAccess).padEnd(8);
  return `${shortKey(key)}  ${bytes}  ${age}  ${filename}`;
}
