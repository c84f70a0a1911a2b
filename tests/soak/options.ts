import { parseArgs } from "node:util";

/** The size of a soak. */
export interface SoakOptions {
  /** The duration in seconds. */
  readonly seconds: number;
  /** The number of concurrent callers. */
  readonly callers: number;
  /** The number of URLs. */
  readonly urls: number;
  /** The cap of the directory. */
  readonly maxSizeMb: number;
}

/** Reads `--seconds`, `--callers`, `--urls` and `--max-size-mb`. */
export function parseOptions(args: string[]): SoakOptions {
  const { values } = parseArgs({
    args,
    options: {
      seconds: { type: "string", default: "600" },
      callers: { type: "string", default: "200" },
      urls: { type: "string", default: "5000" },
      "max-size-mb": { type: "string", default: "96" },
    },
  });
  return {
    seconds: Number(values.seconds),
    callers: Number(values.callers),
    urls: Number(values.urls),
    maxSizeMb: Number(values["max-size-mb"]),
  };
}
