import type { Call } from "./call.ts";
import type { CommandOption } from "./command_option.ts";

/** A command of the tool. */
export interface Command {
  /** Name of the command. */
  readonly name: string;
  /** The operands after the name, as help shows them. */
  readonly operands: string;
  /** Purpose of the command, in a line. */
  readonly summary: string;
  /** Further lines of its help, of at most 80 characters. */
  readonly details: readonly string[];
  /** Its options by name, in the order of the help. */
  readonly options: Readonly<Record<string, CommandOption>>;
  /** The least permissions that the command needs. */
  readonly permissions: readonly string[];
  /**
   * Lines of help about the output of `--json`; undefined for a command without
   * data.
   */
  readonly json?: readonly string[];
  /** Runs the command, and resolves to the exit code. */
  run(call: Call): Promise<number>;
}
