import type { Call } from "../call/call.ts";
import type { Command } from "../call/command.ts";
import { DIR_OPTION, JSON_OPTION } from "../call/command_option.ts";
import { UsageError } from "../call/failures.ts";
import { BUCKET_PERMISSIONS } from "../remote/bucket.ts";
import { probe } from "../remote/probe.ts";
import { status } from "../remote/status.ts";
import { CONCURRENCY, sync } from "../remote/sync.ts";

/** The functions behind the words. */
const ACTIONS: Readonly<Record<string, (call: Call) => Promise<number>>> = {
  status,
  probe,
  sync,
};

/** `remote`: looks at the bucket of the environment, and fills it. */
export const remote: Command = {
  name: "remote",
  operands: "status|probe|sync",
  summary: "look at the bucket that hosts share, try it, fill it",
  details: [
    "status  whether the bucket answers, and of how many entries it has an object",
    "probe   whether it can be read and written, and whether leases hold",
    "sync    upload the entries that it lacks; run it again after a stop",
    "",
    "The bucket is that of MEDIA_CACHE_S3_ENDPOINT, _BUCKET, _REGION and _PREFIX,",
    "with the keys of AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN.",
    "MEDIA_CACHE_S3_ALLOW_HTTP=true allows http: to another machine.",
    "A bot may use folder and bucket at the same time. sync asks for each entry",
    "first, hashes a body that has no digest, and skips those above the tier's limit.",
    "It starts no other entry after five failures in a row.",
  ],
  options: {
    dir: DIR_OPTION,
    concurrency: {
      value: "N",
      help: `with sync: entries at a time (${CONCURRENCY})`,
    },
    "no-progress": { help: "with sync: no progress bars" },
    json: JSON_OPTION,
  },
  permissions: [`--allow-read=DIR ${BUCKET_PERMISSIONS}`],
  json: [
    "status: { name, answers, reason, tookMs, entries, lookedFor, present,",
    "  changes } (changes: deletions and replacements by all hosts that the bucket",
    "  remembers)",
    "probe: { name, reachable, lease, reason }",
    "sync: { result: done or interrupted, entries, pushed, present, skipped,",
    "  failed, bytes }",
  ],
  run,
};

async function run(call: Call): Promise<number> {
  const [word = "", ...rest] = call.operands;
  const action = Object.hasOwn(ACTIONS, word) ? ACTIONS[word] : undefined;
  if (action === undefined || rest.length > 0) {
    const words = Object.keys(ACTIONS).join(", ");
    throw new UsageError(
      `remote needs one of ${words}: received ${
        call.operands.join(" ") || "nothing"
      }`,
    );
  }
  return await action(call);
}
