/** The command line of the benchmark. */
import { parseArgs } from "node:util";

/** The options of the command line. */
export interface Options {
  /** Whether sizes, counts and rounds are small. */
  readonly quick: boolean;
  /** Whether the exit code is 1 unless every target is proven. */
  readonly strict: boolean;
  /** Ids of the rows to measure, or their beginnings; every row when empty. */
  readonly only: readonly string[];
  /** The folder of the measured files. */
  readonly dir: string | undefined;
  /** The file of the figures, as JSON. */
  readonly json: string | undefined;
  /** A folder for plots. */
  readonly plots: string | undefined;
  /** Whether to write the figures into the README files. */
  readonly readme: boolean;
  /** A commit to compare with, in place of rivals. */
  readonly against: string | undefined;
  /** Whether to print only the options. */
  readonly help: boolean;
}

/** The text that lists the options. */
export const HELP = `Measures this package against its rivals.

    ./denow task bench [options]

  --quick       small sizes, one round, every row: a smoke test of a minute or so
  --strict      exit with 1 unless every target is met, measured more than once
                and with a spread of 30 % at the most
  --only ROW    measure only rows with an id that starts with ROW; repeatable;
                "scale" is a million entries, which no other run measures
  --against REF compare with an earlier commit in place of the rivals
  --dir DIR     folder of the files; /dev/shm or the temporary folder otherwise
  --json FILE   file of the figures; a file in the temporary folder otherwise
  --plots DIR   draw the scaling curves as SVG into a folder
  --readme      write the tables into tests/bench/README.md, and three lines into
                README.md; needs every row
  --help        print this text
`;

/**
 * Reads the command line.
 *
 * @throws {TypeError} If an option is unknown, or cannot be used with another.
 */
export function parseOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: "boolean", default: false },
      strict: { type: "boolean", default: false },
      only: { type: "string", multiple: true, default: [] },
      against: { type: "string" },
      dir: { type: "string" },
      json: { type: "string" },
      plots: { type: "string" },
      readme: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (
    values.readme &&
    (values.quick || values.only.length > 0 || values.against !== undefined)
  ) {
    throw new TypeError(
      "--readme cannot be used with --quick, --only or --against: " +
        "the README shows a measurement of every row",
    );
  }
  const { against, dir, json, plots, ...others } = values;
  return { ...others, against, dir, json, plots };
}
