/**
 * The command line tool: looks into the folder of a cache, fills it, repairs it.
 *
 * ```sh
 * deno run -A jsr:@media-cache/media-cache/cli COMMAND --dir DIR
 * ```
 *
 * | command                           | what it does                                                    | least permissions                                                                        |
 * | --------------------------------- | --------------------------------------------------------------- | ---------------------------------------------------------------------------------------- |
 * | `stats`                           | how many entries there are, of which types, and their bytes     | `--allow-read=DIR`                                                                       |
 * | `ls`                              | lists entries: `--sort`, `--limit`, `--filter`, `--type`        | `--allow-read=DIR`                                                                       |
 * | `explain URL`                     | whether a URL is stored, why not, and what is known of it       | `--allow-read=DIR`                                                                       |
 * | `get URL > FILE`                  | writes the bytes of an entry                                    | `--allow-read=DIR`, with `--output FILE` also read and write access to its folder       |
 * | `warm FILE\|URL...`               | downloads URLs, and those of lists, that are not stored yet     | `--allow-read=DIR,FILE --allow-write=DIR --allow-net=HOSTS`, and `--allow-run=ffmpeg`    |
 * | `rm URL...`                       | removes entries                                                 | `--allow-read=DIR --allow-write=DIR`                                                     |
 * | `prune --max-size-mb N`           | removes the least recently used entries until the rest fits; also `--max-disk-mb N` | `--allow-read=DIR --allow-write=DIR`                                                     |
 * | `remote status\|probe\|sync`       | looks at the bucket that hosts share, tries it, fills it        | `--allow-read=DIR --allow-env --allow-net=HOST`                                          |
 * | `verify`                          | checks lengths and digests; `--fix` removes what is wrong       | `--allow-read=DIR`, with `--fix` also `--allow-write=DIR`                                |
 *
 * Commands that only read never create the folder. With `--json` all that
 * prints data prints JSON; `COMMAND --help` tells its shape. The manual, with
 * examples, is `src/cli/README.md` of the package.
 *
 * The exit code is 0 on success, 1 when something failed, 2 when the command
 * line is wrong, 130 after Ctrl-C (129 and 143 after SIGHUP and SIGTERM), and
 * 141 when the reader of the output has gone.
 *
 * @module
 */
import config from "../../deno.json" with { type: "json" };
import { Call } from "./call/call.ts";
import { COMMANDS } from "./commands.ts";
import { EXIT, reasonOf, UsageError } from "./call/failures.ts";
import { commandHelp, generalHelp } from "./help.ts";
import { type CliOutput, Output } from "./output/output.ts";
import type { CliInput } from "./call/url_list.ts";

export type { CliInput, CliOutput };

/** Options of {@linkcode main}. The defaults are those of the process. */
export interface MainOptions {
  /** Input for an operand `-`. */
  stdin?: CliInput;
  /** Output of results. */
  stdout?: CliOutput;
  /** Output of complaints and progress bars. */
  stderr?: CliOutput;
  /** Whether terminals show colors. The default follows NO_COLOR. */
  color?: boolean;
  /**
   * Interrupts the command as Ctrl-C does. With it, signals of the process are
   * not handled.
   */
  signal?: AbortSignal;
}

/**
 * Runs the tool.
 *
 * @param args The command and its arguments.
 * @param options Streams and signals in place of the process's own.
 * @returns The exit code.
 *
 * @example Count the entries of a folder
 * ```ts
 * import { main } from "@media-cache/media-cache/cli";
 * import { assertEquals } from "@std/assert";
 *
 * const code = await main(["stats", "--dir", await Deno.makeTempDir()]);
 *
 * assertEquals(code, 0);
 * ```
 */
export async function main(
  args: readonly string[],
  options: MainOptions = {},
): Promise<number> {
  const {
    stdin = Deno.stdin,
    stdout = Deno.stdout,
    stderr = Deno.stderr,
    color = !Deno.noColor,
    signal,
  } = options;
  const output = new Output(stdout, stderr, color);
  try {
    return await run(args, output, stdin, signal);
  } catch (error) {
    // The reader of the output has gone, as with `| head`: there is nobody to
    // tell.
    if (error instanceof Deno.errors.BrokenPipe) return EXIT.brokenPipe;
    output.complain(reasonOf(error));
    return error instanceof UsageError ? EXIT.usage : EXIT.failure;
  }
}

async function run(
  args: readonly string[],
  output: Output,
  stdin: CliInput,
  signal: AbortSignal | undefined,
): Promise<number> {
  const [first, ...rest] = args;
  if (first === undefined) {
    output.note(generalHelp(COMMANDS));
    return EXIT.usage;
  }
  if (first === "--version" || first === "-V") {
    await output.text(config.version);
    return EXIT.ok;
  }
  const wantsHelp = first === "help" || isHelp(first);
  const name = wantsHelp ? rest.find((arg) => !isHelp(arg)) : first;
  if (name === undefined) {
    await output.text(generalHelp(COMMANDS));
    return EXIT.ok;
  }
  const command = COMMANDS.find((each) => each.name === name);
  if (command === undefined) {
    const names = COMMANDS.map((each) => each.name).join(", ");
    throw new UsageError(
      name.startsWith("-")
        ? `the command comes first: one of ${names}`
        : `unknown command ${name}: must be one of ${names}`,
    );
  }
  if (wantsHelp || asksForHelp(rest)) {
    await output.text(commandHelp(command));
    return EXIT.ok;
  }
  try {
    return await command.run(
      new Call(command.options, rest, { output, stdin, signal }),
    );
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`${error.message} (see ${name} --help)`);
  }
}

function isHelp(arg: string): boolean {
  return arg === "--help" || arg === "-h";
}

/**
 * Tells whether help is among the options; arguments after `--` are no options.
 */
function asksForHelp(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  return args.slice(0, end < 0 ? args.length : end).some(isHelp);
}

if (import.meta.main) Deno.exit(await main(Deno.args));
