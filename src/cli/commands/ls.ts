import type { EntryInfo } from "../../core/api/entry_info.ts";
import type { Call } from "../call/call.ts";
import type { Command } from "../call/command.ts";
import {
  DIR_OPTION,
  JSON_OPTION,
  URLS_OPTION,
} from "../call/command_option.ts";
import { openCache } from "../call/directory.ts";
import { recordOf, shortKey } from "../output/entry_record.ts";
import { EXIT } from "../call/failures.ts";
import { formatAge, formatBytes } from "../../core/text/quantities.ts";
import { type Column, layOut } from "../output/table.ts";

const ORDERS: Readonly<
  Record<"access" | "size" | "stored" | "name", Comparison>
> = {
  access: (a, b) => b.lastAccess - a.lastAccess,
  size: (a, b) => b.size - a.size,
  stored: (a, b) => b.storedAt - a.storedAt,
  name: (a, b) => names.compare(a.filename, b.filename),
};

type Comparison = (a: EntryInfo, b: EntryInfo) => number;

const names = new Intl.Collator("en", { numeric: true });

const COLUMNS: readonly Column<EntryInfo>[] = [
  { title: "KEY", cell: ({ key }) => shortKey(key) },
  { title: "SIZE", cell: ({ size }) => formatBytes(size), right: true },
  { title: "LAST USE", cell: ({ lastAccess }) => formatAge(lastAccess) },
  { title: "TYPE", cell: ({ mimetype }) => mimetype },
  { title: "NAME", cell: ({ filename }) => filename },
];

/** `ls`: lists entries. */
export const ls: Command = {
  name: "ls",
  operands: "",
  summary: "list entries",
  details: [
    "URLs are left out unless you ask for them, since they may hold secrets;",
    "--filter finds entries by their URLs all the same.",
  ],
  options: {
    dir: DIR_OPTION,
    sort: {
      value: "ORDER",
      help: "access (the default), size, stored or name",
    },
    reverse: { help: "the other way round" },
    limit: { value: "N", help: "the first N" },
    filter: { value: "TEXT", help: "those with TEXT in their name or URL" },
    type: {
      value: "TYPE",
      help: "those whose type begins so, such as image/ or video/mp4",
    },
    urls: URLS_OPTION,
    json: JSON_OPTION,
  },
  permissions: ["--allow-read=DIR"],
  json: [
    "[{ key, mimetype, filename, size, storedAt, lastAccess, url }]",
    "(url with --urls only)",
  ],
  run,
};

async function run(call: Call): Promise<number> {
  call.expectNoOperands();
  const { output } = call;
  const order = call.choice("sort", ["access", "size", "stored", "name"]) ??
    "access";
  const limit = call.count("limit") ?? Infinity;
  const filter = call.text("filter")?.toLowerCase() ?? "";
  const type = call.text("type")?.toLowerCase() ?? "";
  const withUrls = call.flag("urls");
  await using opened = await openCache(call, { readOnly: true });
  await opened.cache.ensureLoaded();

  const entries: EntryInfo[] = [];
  for await (const entry of opened.cache.entries()) {
    const { filename, url, mimetype } = entry;
    const isWanted = mimetype.startsWith(type) &&
      (filename.toLowerCase().includes(filter) ||
        url.toLowerCase().includes(filter));
    if (isWanted) entries.push(entry);
  }
  entries.sort(ORDERS[order]);
  if (call.flag("reverse")) entries.reverse();
  const shown = entries.slice(0, limit);

  if (call.flag("json")) {
    await output.json(shown.map((entry) => recordOf(entry, withUrls)));
  } else {
    const columns = withUrls
      ? [...COLUMNS, { title: "URL", cell: ({ url }: EntryInfo) => url }]
      : COLUMNS;
    await output.table(layOut(columns, shown));
  }
  return EXIT.ok;
}
