import { parseArgs } from "node:util";
import { directoryPath } from "../../core/api/options.ts";
import type { CommandOption } from "./command_option.ts";
import { UsageError } from "./failures.ts";
import { platforms } from "../../platforms/platforms.ts";
import type { Output } from "../output/output.ts";
import type { CliInput } from "./url_list.ts";

/** Streams and signal of a command. */
export interface Surroundings {
  /** Output of the command. */
  readonly output: Output;
  /** Input for an operand `-`. */
  readonly stdin: CliInput;
  /** Interrupts the command, in place of the signals of the process. */
  readonly signal: AbortSignal | undefined;
}

type Value = string | boolean | (string | boolean)[] | undefined;

/** The arguments of a command, and its surroundings. */
export class Call {
  /** Arguments that are no options. */
  readonly operands: readonly string[];
  /** Output of the command. */
  readonly output: Output;
  /** Input for an operand `-`. */
  readonly stdin: CliInput;
  /** Interrupts the command, in place of the signals of the process. */
  readonly signal: AbortSignal | undefined;
  readonly #values: Record<string, Value>;

  /**
   * Reads the arguments of a command.
   *
   * @throws {UsageError} If the command does not take them.
   */
  constructor(
    options: Readonly<Record<string, CommandOption>>,
    args: readonly string[],
    surroundings: Surroundings,
  ) {
    const { values, positionals } = parse(options, args);
    this.#values = values;
    this.operands = positionals;
    this.output = surroundings.output;
    this.stdin = surroundings.stdin;
    this.signal = surroundings.signal;
  }

  /** Path of the cache's folder. */
  get dir(): string {
    const path = directoryPath(this.text("dir") ?? "media_cache");
    if (path !== undefined) return path;
    throw new UsageError("--dir must name a folder of this machine");
  }

  /** With `--platforms`, the function from a URL to the one that it is stored under. */
  get canonicalUrl(): ((url: string) => string) | undefined {
    return this.flag("platforms") ? platforms() : undefined;
  }

  /** Tells whether a switch was given. */
  flag(name: string): boolean {
    return this.#values[name] === true;
  }

  /** Returns the value of an option. */
  text(name: string): string | undefined {
    const value = this.#values[name];
    return typeof value === "string" ? value : undefined;
  }

  /** Returns all values of an option. */
  texts(name: string): string[] {
    const value = this.#values[name];
    return [value ?? []].flat().filter((each) => typeof each === "string");
  }

  /** Returns the value of an option that takes one of several words. */
  choice<T extends string>(name: string, choices: readonly T[]): T | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const choice = choices.find((each) => each === text);
    if (choice !== undefined) return choice;
    const wanted = choices.join(", ");
    throw new UsageError(
      `--${name} must be one of ${wanted}: received ${text}`,
    );
  }

  /** Returns the value of an option that is a number of at least 0. */
  number(name: string): number | undefined {
    return this.#number(
      name,
      /^\d+(?:\.\d+)?$|^\.\d+$/,
      "a number of at least 0",
      0,
    );
  }

  /** Returns the value of an option that is a whole number of at least 1. */
  count(name: string): number | undefined {
    return this.#number(name, /^\d+$/, "a whole number of at least 1", 1);
  }

  /** Throws unless there are no operands. */
  expectNoOperands(): void {
    const [operand] = this.operands;
    if (operand === undefined) return;
    throw new UsageError(`unexpected argument ${operand}`);
  }

  #number(
    name: string,
    pattern: RegExp,
    wanted: string,
    min: number,
  ): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const number = pattern.test(text) ? Number(text) : NaN;
    if (number >= min && number <= Number.MAX_SAFE_INTEGER) return number;
    throw new UsageError(`--${name} must be ${wanted}: received ${text}`);
  }
}

function parse(
  options: Readonly<Record<string, CommandOption>>,
  args: readonly string[],
): { values: Record<string, Value>; positionals: string[] } {
  const config = Object.entries(options).map(([name, { value, multiple }]) =>
    [name, {
      type: value === undefined ? "boolean" : "string",
      multiple: multiple === true,
    }] as const
  );
  try {
    return parseArgs({
      args: withNegativeNumbers(options, args),
      options: Object.fromEntries(config),
      allowPositionals: true,
    });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    // The first sentence names the mistake; the rest tells how to quote.
    const [message = ""] = error.message.split(/\. To specify|\n/);
    throw new UsageError(message, { cause: error });
  }
}

/**
 * Joins an option to a negative number that follows it. `parseArgs()` would
 * take the number for an option, and call the option before it ambiguous.
 */
function withNegativeNumbers(
  options: Readonly<Record<string, CommandOption>>,
  args: readonly string[],
): string[] {
  const joined: string[] = [];
  for (const arg of args) {
    const before = joined.at(-1);
    const takesValue = before?.startsWith("--") && !joined.includes("--") &&
      options[before.slice(2)]?.value !== undefined;
    if (takesValue && /^-[\d.]/.test(arg)) {
      joined.push(`${joined.pop()}=${arg}`);
    } else joined.push(arg);
  }
  return joined;
}
