/** Bodies made from their URLs, so that every reader can check every byte. */
import { Buffer } from "node:buffer";
import { pattern } from "../fixtures/bodies/bytes.ts";

/** A prime: two bodies begin alike only after the last of them has begun. */
const PATTERN_BYTES = 1_048_573;
const STEP = 7_919;
const MAX_BYTES = 4_194_304;

const PATTERN = pattern(PATTERN_BYTES);

/**
 * The length of a body: from 1 byte to 4 MiB, as many short ones as long ones.
 */
export function sizeOf(id: number): number {
  const share = (id * 2_654_435_761 % 2 ** 32) / 2 ** 32;
  return Math.floor(MAX_BYTES ** share);
}

/** The pieces of a body, from one position to another. */
export function* piecesOf(
  id: number,
  start: number,
  end: number,
): Generator<Uint8Array<ArrayBuffer>> {
  for (let position = start; position < end;) {
    const from = (id * STEP + position) % PATTERN_BYTES;
    const length = Math.min(end - position, PATTERN_BYTES - from);
    yield PATTERN.subarray(from, from + length);
    position += length;
  }
}

/** The body as one array. */
export function bodyOf(id: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(sizeOf(id));
  let position = 0;
  for (const piece of piecesOf(id, 0, bytes.length)) {
    bytes.set(piece, position);
    position += piece.length;
  }
  return bytes;
}

/** Whether a body has these bytes at a position. */
export function isRight(
  id: number,
  position: number,
  bytes: Uint8Array,
): boolean {
  const end = position + bytes.length;
  if (end > sizeOf(id)) return false;
  let done = 0;
  for (const piece of piecesOf(id, position, end)) {
    const part = bytes.subarray(done, done + piece.length);
    if (Buffer.compare(part, piece) !== 0) return false;
    done += piece.length;
  }
  return true;
}
