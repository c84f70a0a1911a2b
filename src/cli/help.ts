import type { Command } from "./call/command.ts";
import type { CommandOption } from "./call/command_option.ts";

const PROGRAM = "media-cache";

const EXIT_CODES = [
  "0    done",
  "1    something failed: a download, a lookup, a check, the folder",
  "2    the command line is wrong",
  "129, 130, 143    ended by SIGHUP, Ctrl-C, SIGTERM",
  "141  whoever read the output has gone",
];

/** Returns the help of the whole tool. */
export function generalHelp(commands: readonly Command[]): string {
  return [
    "Look into, fill and repair the folder of a media cache.",
    "",
    `Usage: ${PROGRAM} COMMAND [--dir DIR] [options]`,
    "",
    "Commands",
    ...aligned(commands.map(({ name, summary }) => [name, summary])),
    "",
    "Options",
    ...aligned([
      ["--dir DIR", "the cache's folder (media_cache)"],
      ["--json", "print JSON, where a command prints data"],
      ["--help", "this help, or that of a command"],
      ["--version", "the version"],
    ]),
    "",
    "Exit codes",
    ...EXIT_CODES.map(indent),
    "",
    `'${PROGRAM} COMMAND --help' tells the options of a command, the shape of its`,
    "JSON and the least permissions that it runs with. Colors need a terminal and",
    "no NO_COLOR. A URL on a command line can be seen by others on the machine;",
    "--key names an entry without it.",
    "",
    "To have it under this name:",
    "  deno install -g -A -n media-cache jsr:@media-cache/media-cache/cli",
  ].join("\n");
}

/** Returns the help of one command. */
export function commandHelp(command: Command): string {
  const { name, operands, summary, details, options, permissions, json } =
    command;
  const usage = [PROGRAM, name, operands, "[options]"]
    .filter((word) => word !== "").join(" ");
  return [
    `${summary[0]?.toUpperCase()}${summary.slice(1)}.`,
    "",
    `Usage: ${usage}`,
    "",
    ...details,
    "",
    "Options",
    ...aligned([
      ...Object.entries(options).map(optionLine),
      ["--help", "this help"],
    ]),
    "",
    "Least permissions",
    ...permissions.map(indent),
    ...(json === undefined ? [] : ["", "JSON", ...json.map(indent)]),
  ].join("\n");
}

function optionLine(
  [name, { value, help, multiple }]: [string, CommandOption],
): [string, string] {
  const flag = value === undefined ? `--${name}` : `--${name} ${value}`;
  return [flag, multiple ? `${help}; repeatable` : help];
}

function aligned(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => indent(left.padEnd(width + 2) + right));
}

function indent(line: string): string {
  return `  ${line}`;
}
