import type { GifScanner } from "../gif/gif_scanner.ts";
import type { GifConversion } from "../gif/gif_conversion.ts";
import type { GifPlan } from "../gif/gif_plan.ts";

/** The verdict on the type of a body. */
export type TypeVerdict =
  /** The body is of its declared type. */
  | { type: "labelled" }
  /** The body is a GIF and stays one; with the reason, if it could have been converted. */
  | { type: "gif"; reason?: string }
  /** The body is a GIF to be converted. */
  | { type: "convert"; plan: GifPlan };

/** The number of bytes that tell a GIF from anything else. */
const MAGIC_BYTES = 6;

/** Looks at a body as it arrives, until its type is certain. */
export class TypeGate {
  readonly #gifs: GifConversion | undefined;
  readonly #scanner: GifScanner | undefined;
  #received = 0;

  /** Without `gifs` each body is of its declared type. */
  constructor(gifs: GifConversion | undefined) {
    this.#gifs = gifs;
    this.#scanner = gifs?.scanner();
  }

  /**
   * Looks at the next chunk.
   *
   * @param cached Whether the body is staged; an uncached GIF can't be converted.
   * @returns The verdict, or undefined while the type is not certain.
   */
  async push(
    chunk: Uint8Array,
    cached: boolean,
  ): Promise<TypeVerdict | undefined> {
    const decision = this.#scanner?.push(chunk);
    this.#received += chunk.length;
    if (this.#gifs === undefined) return { type: "labelled" };
    if (decision?.action === "keep") return kept(decision.reason);
    if (this.#received < MAGIC_BYTES) return undefined;
    if (cached && await this.#gifs.available()) return undefined;
    return { type: "gif" };
  }

  /** Takes the end of the body, and returns the verdict. */
  end(): TypeVerdict {
    const decision = this.#scanner?.end();
    if (decision?.action === "convert") {
      return { type: "convert", plan: decision.plan };
    }
    return kept(decision?.reason ?? "not-a-gif");
  }
}

function kept(reason: string): TypeVerdict {
  return reason === "not-a-gif"
    ? { type: "labelled" }
    : { type: "gif", reason };
}
