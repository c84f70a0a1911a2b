/** The command line of the benchmark. */
import { parseArgs } from "node:util";

/** What the command line says. */
export interface Options {
  /** Whether sizes, counts and rounds are small. */
  readonly quick: boolean;
  /** Whether anything but proven targets is a failure. */
  readonly strict: boolean;
  /** Ids of the rows to measure, or what they start with; all when empty. */
  readonly only: readonly string[];
  /** Where the files go. */
  readonly dir: string | undefined;
  /** Where the figures go, as JSON. */
  readonly json: string | undefined;
  /** A folder for plots. */
  readonly plots: string | undefined;
  /** A commit to compare with, in place of rivals. */
  readonly against: string | undefined;
  /** Whether to say only what the options are. */
  readonly help: boolean;
}

/** What the options are. */
export const HELP = `Measures this package against its rivals.

    ./denow task bench [options]

  --quick       small sizes, one round: a smoke test of a minute or so
  --strict      exit with 1 unless every target is met, measured more than once
                and with a spread of 30 % at the most
  --only ROW    measure only rows whose id starts so; may be repeated
  --against REF compare with an earlier commit in place of the rivals
  --dir DIR     where the files go; /dev/shm or the temporary folder otherwise
  --json FILE   where the figures go; a file in the temporary folder otherwise
  --plots DIR   draw the scaling curves as SVG into a folder
  --help        say this
`;

/** Reads the command line. */
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
      help: { type: "boolean", default: false },
    },
  });
  const { against, dir, json, plots, ...others } = values;
  return { ...others, against, dir, json, plots };
}
