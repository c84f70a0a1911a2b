import type { Call } from "../call/call.ts";
import type { Command } from "../call/command.ts";
import { DIR_OPTION, JSON_OPTION } from "../call/command_option.ts";
import { openCache } from "../call/directory.ts";
import { EXIT } from "../call/failures.ts";
import {
  formatBytes,
  formatCount,
  formatEntries,
} from "../../core/text/quantities.ts";

/** `verify`: checks all files. */
export const verify: Command = {
  name: "verify",
  operands: "",
  summary: "check lengths and digests, and find files that belong to no entry",
  details: [
    "With --fix whatever is wrong is removed, except files of no entry that another",
    "process may be writing: halves of pairs younger than 10 minutes, and .part",
    "files younger than 5 seconds. Files that a wrong clock has dated in the future",
    "are dated now, so that a later run removes them. Without --fix nothing is",
    "changed. Problems that stay make the exit code 1.",
  ],
  options: {
    dir: DIR_OPTION,
    fix: { help: "remove what is wrong" },
    json: JSON_OPTION,
  },
  permissions: [
    "--allow-read=DIR",
    "--allow-read=DIR --allow-write=DIR   with --fix",
  ],
  json: [
    "{ entries, bytes, digests,",
    "  problems: [{ names, bytes, reason, young }], fixed }",
    "(digests counts the entries whose digest was there and was right)",
  ],
  run,
};

async function run(call: Call): Promise<number> {
  call.expectNoOperands();
  const { output } = call;
  const fix = call.flag("fix");
  await using opened = await openCache(call, { readOnly: !fix });
  const report = await opened.cache.verify({ fix });
  const { entries, bytes, digests, problems, fixed } = report;
  if (call.flag("json")) await output.json(report);
  else {
    for (const { names, bytes, reason, young } of problems) {
      const verdict = young ? "young" : fix ? "removed" : "wrong";
      const files = names.join(", ");
      await output.print(
        `${verdict}  ${files} (${formatBytes(bytes)}): ${reason}`,
        "red",
      );
    }
    await output.print(
      `${formatEntries(entries)} whole, ${formatBytes(bytes)}; ${
        formatCount(digests)
      } checked by digest; ${formatCount(problems.length)} wrong` +
        (fix ? `, ${formatCount(fixed)} removed` : ""),
      problems.length === fixed ? "green" : "bold",
    );
  }
  return problems.length === fixed && opened.diskErrors === 0
    ? EXIT.ok
    : EXIT.failure;
}
