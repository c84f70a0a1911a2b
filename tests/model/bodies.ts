/**
 * Bodies with bytes that identify them, and a program that makes videos of
 * GIFs.
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { pattern } from "../fixtures/bodies/bytes.ts";
import { concat, gifOfDelays } from "../fixtures/gif/gif_writer.ts";
import { stub } from "../fixtures/gif/stub.ts";

/** The longest body. */
export const MAX_BODY_BYTES = 1_000_000;

/** Errors that a test causes on purpose. */
export class Planned extends Error {}

const PATTERN = pattern(MAX_BODY_BYTES);
const GIF = gifOfDelays([10, 20, 30]);
const FRAMES = 6;
const HEAD_BYTES = 8;
const DIGITS = 8;

/** The boxes of a video in front of its bytes. */
const VIDEO_FRONT = new TextEncoder().encode("\0\0\0\x08ftyp\0\0\0\x08moov");

/** The length of the shortest possible video. */
export const MIN_VIDEO_BYTES = VIDEO_FRONT.length + HEAD_BYTES;

/** The shortest GIF that `gifOf()` makes. */
export const MIN_GIF_BYTES = GIF.length + DIGITS;

/**
 * A body with its number and length in its first eight bytes, if it has them.
 */
export function bodyOf(number: number, size: number): Uint8Array<ArrayBuffer> {
  const body = PATTERN.slice(0, size);
  if (size < HEAD_BYTES) return body.fill(number % 64);
  const view = new DataView(body.buffer);
  view.setUint32(0, number % 2 ** 24);
  view.setUint32(4, size);
  return body;
}

/**
 * Checks that bytes are one whole body: a numbered body, a GIF or its video.
 */
export function assertWhole(bytes: Uint8Array<ArrayBuffer>): void {
  if (bytes.length < HEAD_BYTES) return;
  if (bytes[0] === GIF[0]) {
    const end = bytes.subarray(bytes.length - DIGITS);
    const videoBytes = Number(new TextDecoder().decode(end));
    return assertSame(bytes, gifOf(bytes.length, videoBytes));
  }
  if (bytes[4] === VIDEO_FRONT[4]) {
    return assertSame(bytes, videoOf(bytes.length));
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  assertSame(bytes, bodyOf(view.getUint32(0), view.getUint32(4)));
}

/** A GIF of a length; its video has another length. */
export function gifOf(
  size: number,
  videoBytes: number,
): Uint8Array<ArrayBuffer> {
  const end = String(videoBytes).padStart(DIGITS, "0");
  const gap = new Uint8Array(size - MIN_GIF_BYTES);
  return concat([GIF, gap, new TextEncoder().encode(end)]);
}

/**
 * The video that `videoMaker()` makes of a GIF: three boxes, like those of an
 * MP4.
 */
export function videoOf(videoBytes: number): Uint8Array<ArrayBuffer> {
  const mdat = new DataView(new ArrayBuffer(HEAD_BYTES));
  mdat.setUint32(0, videoBytes - VIDEO_FRONT.length);
  const head = new Uint8Array(mdat.buffer);
  head.set(new TextEncoder().encode("mdat"), 4);
  const rest = PATTERN.slice(0, videoBytes - MIN_VIDEO_BYTES);
  return concat([VIDEO_FRONT, head, rest]);
}

/**
 * Writes a program that stands in for ffmpeg, since ffmpeg cannot make videos
 * of a given length.
 */
export async function videoMaker(folder: string): Promise<string> {
  await Deno.writeFile(join(folder, "video"), PATTERN);
  return await stub(
    folder,
    `while [ $# -gt 0 ]; do
      case $1 in
        -i) input=\${2#file:}; shift;;
        -fs) max=$2; shift;;
      esac
      output=\${1#file:}; shift
    done
    size=$(tail -c ${DIGITS} "$input" | sed 's/^0*//')
    frames=${FRAMES}
    # The GIF by which the cache finds out after a failure whether ffmpeg works.
    if [ "$(wc -c <"$input")" -lt ${MIN_GIF_BYTES} ]; then size=99 frames=1; fi
    if [ "$size" -gt "$max" ]; then size=$max frames=1; fi
    mdat=$((size - ${VIDEO_FRONT.length}))
    octal() { printf '\\\\%03o' $(($1 & 255)); }
    if [ $mdat -lt ${HEAD_BYTES} ]; then head -c "$size" "$here/video"; else
      printf '\\0\\0\\0\\10ftyp\\0\\0\\0\\10moov'
      printf "$(octal $((mdat >> 24)))$(octal $((mdat >> 16)))"
      printf "$(octal $((mdat >> 8)))$(octal $mdat)mdat"
      head -c $((mdat - ${HEAD_BYTES})) "$here/video"
    fi >"$output"
    echo "frame=$frames"
    echo "total_size=$size"
    echo "progress=end"`,
  );
}

/** Compares bytes, even many of them fast. */
export function assertSame(actual: Uint8Array, expected: Uint8Array): void {
  assertEquals(actual.length, expected.length);
  const at = actual.findIndex((byte, i) => byte !== expected[i]);
  assert(at === -1, `The byte at ${at} of ${actual.length} is another's`);
}
