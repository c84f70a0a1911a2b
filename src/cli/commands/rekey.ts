import { type Rekeyed, rekeyingOf } from "../../core/inspection.ts";
import { formatCount, formatEntries } from "../../core/text/quantities.ts";
import { platforms } from "../../platforms/platforms.ts";
import type { Call } from "../call/call.ts";
import type { Command } from "../call/command.ts";
import { DIR_OPTION, JSON_OPTION } from "../call/command_option.ts";
import { expectUsable } from "../call/directory.ts";
import { EXIT, reasonOf } from "../call/failures.ts";
import { Interruption } from "../call/interruption.ts";
import { shortKey } from "../output/entry_record.ts";
import { ProgressLine } from "../output/progress_line.ts";

/** `rekey`: gives entries the keys of their canonical URLs. */
export const rekey: Command = {
  name: "rekey",
  operands: "",
  summary: "give entries the keys of their canonical URLs",
  details: [
    "For a folder that was filled without canonicalUrl: platforms(). Entries get the",
    "key of their canonical URL; of two entries of one URL the one stored last stays.",
    "Tokens in their URLs leave the disk. Bodies are renamed, not copied, and keep",
    "their last use. A run that was ended goes on with the next one. Other processes",
    "may use the folder meanwhile; those without the rules find the entries no more.",
  ],
  options: {
    dir: DIR_OPTION,
    "dry-run": { help: "only count what would be moved" },
    "no-progress": { help: "no progress on a terminal" },
    json: JSON_OPTION,
  },
  permissions: [
    "--allow-read=DIR --allow-write=DIR",
    "--allow-read=DIR   with --dry-run",
  ],
  json: [
    "{ result: done or interrupted, moved, merged, unchanged, failed, dryRun }",
    "(merged entries have met another one of their canonical URL)",
  ],
  run,
};

async function run(call: Call): Promise<number> {
  call.expectNoOperands();
  const { dir, output } = call;
  const dryRun = call.flag("dry-run");
  await expectUsable(dir, !dryRun, false);
  await using rekeying = rekeyingOf(dir, platforms(), dryRun);
  using interruption = new Interruption(call.signal);
  const keys = await rekeying.keys();
  const counts: Record<Rekeyed | "failed", number> = {
    moved: 0,
    merged: 0,
    unchanged: 0,
    failed: 0,
  };
  const hasProgress = output.stderr.isTerminal() && !call.flag("no-progress");
  using progress = hasProgress
    ? new ProgressLine(output.stderr, keys.length)
    : undefined;
  for (const [done, key] of keys.entries()) {
    if (interruption.signal.aborted) break;
    progress?.update(done);
    try {
      counts[dryRun ? await rekeying.look(key) : await rekeying.move(key)]++;
    } catch (error) {
      counts.failed++;
      output.complain(`can't move ${shortKey(key)}: ${reasonOf(error)}`);
    }
  }
  progress?.[Symbol.dispose]();

  const isInterrupted = interruption.signal.aborted;
  if (call.flag("json")) {
    const result = isInterrupted ? "interrupted" : "done";
    await output.json({ result, ...counts, dryRun });
  } else {
    const { moved, merged, unchanged, failed } = counts;
    await output.print(
      `${formatEntries(moved)} ${dryRun ? "would be moved" : "moved"}, ${
        formatCount(merged)
      } merged, ${formatCount(unchanged)} unchanged` +
        (failed === 0 ? "" : `, ${formatCount(failed)} failed`) +
        (isInterrupted ? "; interrupted, run it again for the rest" : ""),
      "bold",
    );
  }
  if (isInterrupted) return interruption.exitCode;
  return counts.failed > 0 ? EXIT.failure : EXIT.ok;
}
