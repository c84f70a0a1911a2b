import type { Call } from "./call.ts";
import type { CommandOption } from "./command_option.ts";

/** What one command of the tool is. */
export interface Command {
  /** Its name. */
  readonly name: string;
  /** What follows the name, beside options. */
  readonly operands: string;
  /** What it does, in a line. */
  readonly summary: string;
  /** What else there is to know, in lines of at most 80 characters. */
  readonly details: readonly string[];
  /** Its options, in the order of the help. */
  readonly options: Readonly<Record<string, CommandOption>>;
  /** The least permissions it runs with. */
  readonly permissions: readonly string[];
  /** What `--json` prints; undefined when it prints no data. */
  readonly json?: readonly string[];
  /** Does it; resolves to the exit code. */
  run(call: Call): Promise<number>;
}
