import type { Command } from "./call/command.ts";
import { explain } from "./commands/explain.ts";
import { get } from "./commands/get.ts";
import { ls } from "./commands/ls.ts";
import { prune } from "./commands/prune.ts";
import { refetch } from "./commands/refetch.ts";
import { rekey } from "./commands/rekey.ts";
import { remote } from "./commands/remote.ts";
import { rm } from "./commands/rm.ts";
import { stats } from "./commands/stats.ts";
import { verify } from "./commands/verify.ts";
import { warm } from "./commands/warm.ts";

/** All commands, in the order of the help. */
export const COMMANDS: readonly Command[] = [
  stats,
  ls,
  explain,
  get,
  warm,
  refetch,
  rm,
  prune,
  rekey,
  verify,
  remote,
];
