import type { Call } from "../call/call.ts";
import type { Command } from "../call/command.ts";
import {
  DIR_OPTION,
  JSON_OPTION,
  KEY_OPTION,
  PLATFORMS_OPTION,
} from "../call/command_option.ts";
import { openCache } from "../call/directory.ts";
import { shortKey } from "../output/entry_record.ts";
import { EXIT } from "../call/failures.ts";
import { Inspector } from "../../core/inspection.ts";
import { expectTargets, targetsOf } from "../call/targets.ts";

/** `rm`: removes entries. */
export const rm: Command = {
  name: "rm",
  operands: "URL...",
  summary: "remove entries",
  details: [
    "What is not there makes the exit code 1; the others go all the same.",
  ],
  options: {
    dir: DIR_OPTION,
    key: { ...KEY_OPTION, multiple: true },
    platforms: PLATFORMS_OPTION,
    json: JSON_OPTION,
  },
  permissions: ["--allow-read=DIR --allow-write=DIR"],
  json: ["{ removed: [key], missing: [{ key, reason }] }"],
  run,
};

async function run(call: Call): Promise<number> {
  expectTargets(call, Infinity);
  const { output } = call;
  const withJson = call.flag("json");
  await using opened = await openCache(call, {});
  const inspector = new Inspector(call.dir);
  const removed: string[] = [];
  const missing: { key: string; reason: string }[] = [];
  for (const target of await targetsOf(call, inspector)) {
    const { key } = target;
    const { sidecar, reason } = await inspector.inspect(key);
    // Without a readable sidecar the URL is known only where the user gave it.
    const url = target.url ?? sidecar?.url;
    if (url !== undefined && await opened.cache.delete(url)) {
      removed.push(key);
      if (!withJson) await output.print(`removed  ${shortKey(key)}`);
    } else {
      const why = reason ?? "the disk failed";
      missing.push({ key, reason: why });
      output.complain(`${shortKey(key)} is not there: ${why}`);
    }
  }
  if (withJson) await output.json({ removed, missing });
  return missing.length === 0 ? EXIT.ok : EXIT.failure;
}
