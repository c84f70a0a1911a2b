import {
  type GifDecision,
  type GifKeepReason,
  GifTimeline,
} from "./gif_plan.ts";
import type { GifLimits } from "../api/gif_options.ts";

/** A byte of flags that tells how a frame is drawn. */
export interface GifFlags {
  /** The block of the byte: the control block before a frame, or the frame's own head. */
  block: "control" | "image";
  /** The position of the byte in the file. */
  at: number;
  /** The value of the byte. */
  flags: number;
}

/** Options of {@linkcode GifScanner}. */
export interface GifScannerOptions {
  /**
   * The decision on a GIF of a single frame.
   *
   * @default {"convert"}
   */
  stills?: "convert" | "keep";
  /** Called for each byte of flags, during the push of the chunk that holds the byte. */
  onFlags?: (flags: GifFlags) => void;
}

/**
 * Tells whether bytes begin as a GIF does.
 *
 * @param head The first 6 bytes of a body, or more.
 * @returns True for `GIF87a` and `GIF89a`.
 */
export function isGif(head: Uint8Array): boolean {
  return head.length >= 6 && head[0] === 0x47 && head[1] === 0x49 &&
    head[2] === 0x46 && head[3] === 0x38 &&
    (head[4] === 0x37 || head[4] === 0x39) && head[5] === 0x61;
}

/** The longest side that the H.264 encoder takes, in pixels. */
const MAX_SIDE = 16_384;

/** The part of the file that the gathered bytes belong to. */
type State =
  | "magic"
  | "screen"
  | "block"
  | "extension"
  | "control"
  | "delay"
  | "application"
  | "loop-size"
  | "loop"
  | "image"
  | "code-size"
  | "sub-block"
  | "end";

/** States between two frames: at a block, or in one that draws nothing, as a comment. */
const NO_PART_OF_A_FRAME: ReadonlySet<State> = new Set([
  "block",
  "application",
  "loop-size",
  "loop",
  "sub-block",
]);

/**
 * Walks the blocks of a GIF as its bytes arrive, and decides whether to convert it.
 *
 * A scanner decodes no pixel and keeps no frame, so its size does not grow with the file. The
 * decision does not depend on how the bytes are cut into chunks.
 */
export class GifScanner {
  readonly #limits: GifLimits;
  readonly #stills: "convert" | "keep";
  readonly #onFlags: ((flags: GifFlags) => void) | undefined;

  readonly #timeline = new GifTimeline();
  #state: State = "magic";
  #kept: GifDecision | undefined;
  readonly #field = new Uint8Array(13);
  #gathered = 0;
  #wanted = 6;
  #skip = 0;
  #position = 0;

  #width = 0;
  #height = 0;
  #hasGlobalPalette = false;
  #inImage = false;
  #hasControl = false;
  #isTransparent = false;
  #disposal = 0;
  #delayCs = 0;
  #leavesFill = false;
  #showsBackground = false;
  #loopCount: number | undefined;

  /**
   * @param limits The largest GIF to convert; a GIF above a limit is kept.
   * @param options Other rules, and the listener for flags.
   */
  constructor(
    limits: GifLimits,
    { stills = "convert", onFlags }: GifScannerOptions = {},
  ) {
    this.#limits = limits;
    this.#stills = stills;
    this.#onFlags = onFlags;
  }

  /**
   * Reads on.
   *
   * @param chunk The next bytes of the body; the scanner keeps no reference.
   * @returns The decision to keep the GIF, as soon as it is certain; `undefined` while it may still
   * be converted.
   */
  push(chunk: Uint8Array): GifDecision | undefined {
    let at = 0;
    while (at < chunk.length && !this.#kept && this.#state !== "end") {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, chunk.length - at);
        this.#skip -= skipped;
        this.#position += skipped;
        at += skipped;
        continue;
      }
      while (this.#gathered < this.#wanted && at < chunk.length) {
        this.#field[this.#gathered++] = chunk[at++]!; // at < length
        this.#position++;
      }
      if (this.#gathered === this.#wanted) {
        this.#gathered = 0;
        this.#step();
      }
    }
    return this.#kept;
  }

  /**
   * Ends the scan: the body is complete.
   *
   * @returns The decision.
   */
  end(): GifDecision {
    if (this.#kept) return this.#kept;
    if (this.#state === "magic") return this.#keep("not-a-gif");
    if (!this.#isAtEnd) return this.#keep("truncated");
    if (this.#timeline.frames === 0) return this.#keep("empty");
    if (this.#timeline.frames === 1 && this.#stills === "keep") {
      return this.#keep("still");
    }
    const plan = this.#timeline.plan({
      width: this.#width,
      height: this.#height,
      loopCount: this.#loopCount,
    });
    const showsBackground = this.#showsBackground;
    return {
      action: "convert",
      plan: { ...plan, ...(showsBackground && { showsBackground }) },
    };
  }

  /** Whether the body ends behind a whole frame: browsers then need no trailer. */
  get #isAtEnd(): boolean {
    if (this.#state === "end") return true;
    return this.#timeline.frames > 0 && !this.#inImage && !this.#hasControl &&
      NO_PART_OF_A_FRAME.has(this.#state);
  }

  #keep(reason: GifKeepReason): GifDecision {
    return this.#kept = { action: "keep", reason };
  }

  /** Goes to a state that gathers `wanted` bytes, after `skip` bytes of no interest. */
  #expect(state: State, wanted: number, skip = 0): void {
    this.#state = state;
    this.#wanted = wanted;
    this.#skip = skip;
  }

  /** Passes over a data sub-block; an empty sub-block is the last. */
  #skipSubBlock(size: number): void {
    this.#expect(size > 0 ? "sub-block" : "block", 1, size);
  }

  #step(): void {
    const first = this.#field[0]!; // at least one byte was gathered
    const second = this.#field[1]!;
    switch (this.#state) {
      case "magic":
        if (!isGif(this.#field)) this.#keep("not-a-gif");
        return this.#expect("screen", 7);
      case "screen":
        return this.#readScreen();
      case "block":
        if (first === 0x2c) return this.#expect("image", 9);
        if (first === 0x21) return this.#expect("extension", 2);
        if (first === 0x3b) return this.#expect("end", 1);
        // Browsers end a GIF at bytes that are no block, and show the frames before them.
        if (this.#timeline.frames > 0 && !this.#hasControl) {
          return this.#expect("end", 1);
        }
        this.#keep("broken");
        return;
      case "extension":
        if (first === 0xf9) {
          if (second !== 4) this.#keep("broken");
          return this.#expect("control", 1);
        }
        if (first === 0xff && second === 11) {
          return this.#expect("application", 11);
        }
        return this.#skipSubBlock(second);
      case "control":
        this.#tell("control", first);
        this.#hasControl = true;
        this.#isTransparent = (first & 1) !== 0;
        this.#disposal = first >> 2 & 7;
        return this.#expect("delay", 3);
      case "delay":
        this.#delayCs = this.#uint16(0);
        return this.#expect("sub-block", 1);
      case "application": {
        const name = String.fromCharCode(...this.#field.subarray(0, 11));
        const loops = name === "NETSCAPE2.0" || name === "ANIMEXTS1.0";
        return this.#expect(loops ? "loop-size" : "sub-block", 1);
      }
      case "loop-size":
        if (first === 3) return this.#expect("loop", 3);
        return this.#skipSubBlock(first);
      case "loop":
        if (first === 1) this.#loopCount = this.#uint16(1);
        return this.#expect("sub-block", 1);
      case "image":
        return this.#readImage();
      case "code-size":
        // The minimum code size of LZW is 1 to 11 bits.
        if (first < 1 || first > 11) this.#keep("broken");
        return this.#expect("sub-block", 1);
      case "sub-block":
        if (first === 0 && this.#inImage) this.#endFrame();
        return this.#skipSubBlock(first);
    }
  }

  #readScreen(): void {
    this.#width = this.#uint16(0);
    this.#height = this.#uint16(2);
    const pixels = this.#width * this.#height;
    const tooLarge = pixels > this.#limits.maxPixels ||
      Math.max(this.#width, this.#height) > MAX_SIDE;
    if (pixels === 0 || tooLarge) this.#keep("canvas");
    const flags = this.#field[4]!; // 7 bytes were gathered
    this.#hasGlobalPalette = (flags & 0x80) !== 0;
    this.#expect("block", 1, paletteBytes(flags));
  }

  #readImage(): void {
    const left = this.#uint16(0);
    const top = this.#uint16(2);
    const width = this.#uint16(4);
    const height = this.#uint16(6);
    const flags = this.#field[8]!; // 9 bytes were gathered
    this.#tell("image", flags);
    // ffmpeg skews a frame that is larger than the canvas, and drops a frame that lies outside.
    const fits = width > 0 && width <= this.#width && left < this.#width &&
      height > 0 && height <= this.#height && top < this.#height;
    const reachesRight = left + width > this.#width;
    const reachesBelow = top + height > this.#height;
    // ffmpeg and browsers crop a frame that reaches over the edge. But browsers enlarge the canvas
    // to fit the first frame, and ffmpeg mixes up the rows of an interlaced frame that reaches
    // below the canvas.
    const isInterlaced = (flags & 0x40) !== 0;
    const isCropped = this.#timeline.frames === 0
      ? !reachesRight && !reachesBelow
      : !(isInterlaced && reachesBelow);
    const hasPalette = this.#hasGlobalPalette || (flags & 0x80) !== 0;
    if (!fits || !hasPalette || !isCropped) this.#keep("broken");
    const covers = width === this.#width && height === this.#height;
    this.#noteBackground(covers);
    this.#inImage = true;
    this.#expect("code-size", 1, paletteBytes(flags));
  }

  /** Notes whether ffmpeg paints a place that browsers leave transparent. */
  #noteBackground(covers: boolean): void {
    const isFirst = this.#timeline.frames === 0;
    // Browsers take disposal 4 for 3, restore the canvas; ffmpeg does not know 4.
    const restores = this.#disposal === 3 || this.#disposal === 4;
    const showsFill = isFirst && !this.#isTransparent && (!covers || restores);
    if (showsFill || this.#leavesFill || this.#disposal === 4) {
      this.#showsBackground = true;
    }
    this.#leavesFill = !this.#isTransparent && this.#disposal === 2;
  }

  #tell(block: GifFlags["block"], flags: number): void {
    this.#onFlags?.({ block, at: this.#position - 1, flags });
  }

  #endFrame(): void {
    this.#inImage = false;
    this.#timeline.add(this.#delayCs);
    this.#delayCs = 0;
    this.#hasControl = false;
    this.#isTransparent = false;
    this.#disposal = 0;
    const pixels = this.#width * this.#height;
    const reason = this.#timeline.exceeds(this.#limits, pixels);
    if (reason) this.#keep(reason);
  }

  #uint16(at: number): number {
    return this.#field[at]! | this.#field[at + 1]! << 8; // callers read within what was gathered
  }
}

/** The bytes of the palette that a byte of flags announces. */
export function paletteBytes(flags: number): number {
  return flags & 0x80 ? 3 * (2 << (flags & 7)) : 0;
}
