import { parseArgs } from "node:util";

/** What a soak is made of. */
export interface SoakOptions {
  /** How long it takes. */
  readonly seconds: number;
  /** Callers at a time. */
  readonly callers: number;
  /** URLs that are asked for. */
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
