import type { Call } from "../call/call.ts";
import type { Command } from "../call/command.ts";
import {
  DIR_OPTION,
  KEY_OPTION,
  PLATFORMS_OPTION,
} from "../call/command_option.ts";
import { openCache } from "../call/directory.ts";
import { shortKey } from "../output/entry_record.ts";
import { EXIT, Failure, UsageError } from "../call/failures.ts";
import { Inspector } from "../../core/inspection.ts";
import { expectTargets, targetsOf } from "../call/targets.ts";
import { writeStream } from "../call/user_files.ts";

/** `get`: writes the bytes of an entry. */
export const get: Command = {
  name: "get",
  operands: "URL > FILE",
  summary: "write the bytes of an entry to a file or a pipe",
  details: [
    "Only what is stored: nothing is downloaded (see warm), and the entry becomes",
    "no more recent. A terminal gets no bytes unless you ask with --output -,",
    "since they could make it do things.",
  ],
  options: {
    dir: DIR_OPTION,
    key: KEY_OPTION,
    platforms: PLATFORMS_OPTION,
    output: {
      value: "FILE",
      help: "write FILE, outside of DIR; - is the standard output",
    },
  },
  permissions: [
    "--allow-read=DIR",
    "--allow-read=DIR,FOLDER --allow-write=FOLDER",
    "      with --output FILE, FOLDER being that of FILE",
  ],
  run,
};

async function run(call: Call): Promise<number> {
  expectTargets(call, 1);
  const { output } = call;
  const file = call.text("output");
  if (file === "") throw new UsageError("--output must name a file");
  if (file === undefined && output.isTerminal) {
    throw new UsageError(
      "bytes don't go to a terminal: redirect them, or use --output",
    );
  }
  await using opened = await openCache(call, { readOnly: true });
  const inspector = new Inspector(call.dir);
  for (const { key } of await targetsOf(call, inspector)) {
    await using media = await opened.cache.getByKey(key);
    if (media === undefined) {
      const { reason } = await inspector.inspect(key);
      throw new Failure(`${shortKey(key)} is not there: ${reason}`);
    }
    if (file !== undefined && file !== "-") {
      await writeStream(file, media.body, call.dir);
    } else {
      for await (const chunk of media.body) await output.bytes(chunk);
    }
  }
  return EXIT.ok;
}
