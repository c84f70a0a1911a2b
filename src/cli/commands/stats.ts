import type { EntryInfo } from "../../core/api/entry_info.ts";
import type { Call } from "../call/call.ts";
import type { Command } from "../call/command.ts";
import { DIR_OPTION, JSON_OPTION } from "../call/command_option.ts";
import { openCache } from "../call/directory.ts";
import { EXIT } from "../call/failures.ts";
import {
  formatAge,
  formatBytes,
  formatCount,
} from "../../core/text/quantities.ts";
import { layOut, layOutFacts } from "../output/table.ts";

interface TypeSum {
  mimetype: string;
  entries: number;
  bytes: number;
}

/** `stats`: counts entries and bytes. */
export const stats: Command = {
  name: "stats",
  operands: "",
  summary: "show how many entries there are, of which types, and their bytes",
  details: [
    "What lies in the folder. Size is that of the bodies; on disk is about what all",
    "files take there, each rounded up to blocks of 4096 bytes. Hits and misses are",
    "known to the process that uses the cache, and to nobody else.",
  ],
  options: { dir: DIR_OPTION, json: JSON_OPTION },
  permissions: ["--allow-read=DIR"],
  json: [
    "{ entries, totalBytes, occupiedBytes, leftovers, leftoverBytes, newestAccess,",
    "  oldestAccess, types: [{ mimetype, entries, bytes }] }",
  ],
  run,
};

async function run(call: Call): Promise<number> {
  call.expectNoOperands();
  await using opened = await openCache(call, { readOnly: true });
  const { cache } = opened;
  await cache.ensureLoaded();
  const { leftovers } = opened;
  const entries = await Array.fromAsync(cache.entries());
  const { totalBytes, occupiedBytes, orphanBytes: leftoverBytes } = cache
    .stats();
  const newestAccess = entries.at(0)?.lastAccess ?? null;
  const oldestAccess = entries.at(-1)?.lastAccess ?? null;
  const types = sumByType(entries);
  const { output } = call;
  if (call.flag("json")) {
    await output.json({
      entries: entries.length,
      totalBytes,
      occupiedBytes,
      leftovers,
      leftoverBytes,
      newestAccess,
      oldestAccess,
      types,
    });
    return EXIT.ok;
  }
  const facts: [string, string][] = [
    ["Folder", call.dir],
    ["Entries", formatCount(entries.length)],
    ["Size", formatBytes(totalBytes)],
    ["On disk", formatBytes(occupiedBytes)],
  ];
  if (newestAccess !== null && oldestAccess !== null) {
    facts.push(
      ["Last use", formatAge(newestAccess)],
      ["Longest unused", formatAge(oldestAccess)],
    );
  }
  if (leftovers > 0) {
    const size = formatBytes(leftoverBytes);
    facts.push(["Leftovers", `${formatCount(leftovers)}, ${size}`]);
  }
  for (const line of layOutFacts(facts)) await output.print(line);
  if (types.length === 0) return EXIT.ok;
  await output.print("");
  await output.table(layOut<TypeSum>([
    { title: "ENTRIES", cell: (sum) => formatCount(sum.entries), right: true },
    { title: "SIZE", cell: (sum) => formatBytes(sum.bytes), right: true },
    { title: "TYPE", cell: (sum) => sum.mimetype },
  ], types));
  return EXIT.ok;
}

/** Sums up entries by type, the type with the most bytes first. */
function sumByType(entries: readonly EntryInfo[]): TypeSum[] {
  const sums = new Map<string, TypeSum>();
  for (const { mimetype, size } of entries) {
    const sum = sums.get(mimetype) ?? { mimetype, entries: 0, bytes: 0 };
    sums.set(mimetype, sum);
    sum.entries++;
    sum.bytes += size;
  }
  return [...sums.values()].sort((a, b) =>
    b.bytes - a.bytes || compare(a.mimetype, b.mimetype)
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
