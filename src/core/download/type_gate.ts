import type { GifScanner } from "../gif/gif_scanner.ts";
import type { GifConversion } from "../gif/gif_conversion.ts";
import type { GifPlan } from "../gif/gif_plan.ts";
import { TypeSniffer } from "../text/sniffed_type.ts";

/** The verdict on the type of a body. */
export type TypeVerdict =
  /** The body is of its declared type. */
  | { type: "labelled" }
  /** No type was declared, and the first bytes have told this one. */
  | { type: "sniffed"; mimetype: string }
  /** The body is a GIF and stays one; with the reason, if it could have been converted. */
  | { type: "gif"; reason?: string }
  /** The body is a GIF to be converted. */
  | { type: "convert"; plan: GifPlan };

/** The number of bytes that tell a GIF from anything else. */
const MAGIC_BYTES = 6;

/** Looks at a body as it arrives, until its type is certain. */
export class TypeGate {
  /** Whether the body is known to be a GIF that may be converted. */
  isGif = false;
  readonly #gifs: GifConversion | undefined;
  readonly #scanner: GifScanner | undefined;
  readonly #sniffer: TypeSniffer | undefined;
  #received = 0;

  /**
   * @param gifs Finds GIFs, whatever their declared type.
   * @param isUnnamed Whether the first bytes tell the type, since none was declared.
   */
  constructor(gifs: GifConversion | undefined, isUnnamed: boolean) {
    this.#gifs = gifs;
    this.#scanner = gifs?.scanner();
    this.#sniffer = isUnnamed ? new TypeSniffer() : undefined;
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
    const isSniffed = this.#sniffer?.push(chunk) ?? true;
    const reason = decision?.action === "keep" ? decision.reason : undefined;
    if (this.#gifs === undefined || reason !== undefined) {
      return isSniffed ? this.#verdict(reason) : undefined;
    }
    if (this.#received < MAGIC_BYTES) return undefined;
    this.isGif = true;
    if (cached && await this.#gifs.available()) return undefined;
    return { type: "gif" };
  }

  /** Takes the end of the body, and returns the verdict. */
  end(): TypeVerdict {
    const decision = this.#scanner?.end();
    if (decision?.action === "convert") {
      return { type: "convert", plan: decision.plan };
    }
    return this.#verdict(decision?.reason);
  }

  /** The verdict on a body that is not converted. */
  #verdict(reason: string = "not-a-gif"): TypeVerdict {
    if (reason !== "not-a-gif") return { type: "gif", reason };
    const mimetype = this.#sniffer?.type;
    return mimetype === undefined
      ? { type: "labelled" }
      : { type: "sniffed", mimetype };
  }
}
