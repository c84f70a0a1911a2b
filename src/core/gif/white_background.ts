import { joined, PIECE_BYTES } from "../bodies/byte_reader.ts";
import type { DiskFile } from "../disk/disk_file.ts";
import { Pacer } from "../async/pacer.ts";
import type { GifLimits } from "../api/gif_options.ts";
import { type GifFlags, GifScanner, paletteBytes } from "./gif_scanner.ts";

const SCREEN_BYTES = 13;

/** The two colours of the new global palette: both white, so that any index is white. */
const WHITE_PALETTE = new Uint8Array(6).fill(0xff);

/** The file to copy. */
type Source = Pick<DiskFile, "readAt">;

/** Writes the next bytes of the copy; false when there is no room for them. */
type Target = (bytes: Uint8Array) => Promise<boolean>;

/**
 * Copies a GIF so that ffmpeg draws it as browsers do.
 *
 * Browsers leave a place transparent that no frame has drawn, or that disposal 2 has cleared.
 * ffmpeg paints such a place in the background colour of the global palette, unless the frame has
 * a transparent colour. In the copy the global palette is white, as ffmpeg draws transparent
 * places, and each frame that used the global palette has a palette of its own. Disposal 4, which
 * ffmpeg does not know, becomes 3 as in browsers.
 *
 * @param gif The GIF, which the scanner has found to be whole.
 * @param size The size of the GIF in bytes.
 * @param limits The limits that the GIF keeps to.
 * @param target Writes the copy.
 * @returns False when there was no room for the copy.
 */
export async function copyWithWhiteBackground(
  gif: Source,
  size: number,
  limits: GifLimits,
  target: Target,
): Promise<boolean> {
  const head = await readHead(gif);
  const palette = head.subarray(SCREEN_BYTES);
  const found: GifFlags[] = [];
  const onFlags = (flags: GifFlags) => found.push(flags);
  const scanner = new GifScanner(limits, { onFlags });
  scanner.push(head);
  if (!await target(withWhitePalette(head))) return false;
  const buffer = new Uint8Array(Math.min(PIECE_BYTES, size));
  const pacer = new Pacer();
  for (let position = head.length; position < size;) {
    const count = await gif.readAt(buffer, position);
    if (count === 0) break;
    const chunk = buffer.subarray(0, count);
    scanner.push(chunk);
    const pieces: Uint8Array[] = [];
    let start = 0;
    for (const flags of found.splice(0)) {
      const at = flags.at - position;
      pieces.push(chunk.subarray(start, at), ...changed(flags, palette));
      start = at + 1;
    }
    pieces.push(chunk.subarray(start));
    if (!await target(joined(pieces))) return false;
    position += count;
    if (pacer.due) await pacer.yield();
  }
  return true;
}

/** Reads the screen descriptor and the global palette. */
async function readHead(gif: Source): Promise<Uint8Array> {
  const screen = await readStart(gif, SCREEN_BYTES);
  const flags = screen[10]!; // within the screen descriptor
  return await readStart(gif, SCREEN_BYTES + paletteBytes(flags));
}

async function readStart(gif: Source, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length;) {
    const count = await gif.readAt(bytes.subarray(done), done);
    if (count === 0) break;
    done += count;
  }
  return bytes;
}

function withWhitePalette(head: Uint8Array): Uint8Array {
  const screen = head.slice(0, SCREEN_BYTES);
  screen[10] = screen[10]! & 0x70 | 0x80; // a palette of two colours
  screen[11] = 0; // index of the background colour
  return joined([screen, WHITE_PALETTE]);
}

/** Makes the bytes that take the place of a byte of flags. */
function changed(
  { block, flags }: GifFlags,
  palette: Uint8Array,
): Uint8Array[] {
  if (block === "control") {
    const disposal = flags >> 2 & 7;
    const known = disposal === 4 ? flags & 0xe3 | 3 << 2 : flags;
    return [new Uint8Array([known])];
  }
  if (flags & 0x80 || palette.length === 0) return [new Uint8Array([flags])];
  const sizeBits = Math.log2(palette.length / 3) - 1;
  return [new Uint8Array([flags & 0xf8 | 0x80 | sizeBits]), palette];
}
