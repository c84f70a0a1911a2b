import type { DiskFile } from "../disk/disk_file.ts";

/** ffmpeg writes four or five boxes: a file with more than this is not from ffmpeg. */
const MAX_BOXES = 64;

const HEAD_BYTES = 8;
const LONG_HEAD_BYTES = 16;

/**
 * Whether a file consists of whole boxes (ISO/IEC 14496-12), with those of a
 * playable video among them. A video that a full disk cut lacks its index, or ends
 * within a box.
 */
export async function isWholeMp4(
  file: Pick<DiskFile, "readAt">,
  size: number,
): Promise<boolean> {
  const types = new Set<string>();
  let position = 0;
  for (let boxes = 0; position < size && boxes < MAX_BOXES; boxes++) {
    const head = new DataView(new ArrayBuffer(LONG_HEAD_BYTES));
    const count = await file.readAt(new Uint8Array(head.buffer), position);
    if (count < HEAD_BYTES) return false;
    const length = head.getUint32(0);
    types.add(String.fromCharCode(...new Uint8Array(head.buffer, 4, 4)));
    // A length of 1: the true length follows the type.
    position += length === 1 ? Number(head.getBigUint64(HEAD_BYTES)) : length;
    if (length !== 1 && length < HEAD_BYTES) return false;
  }
  return position === size &&
    ["ftyp", "moov", "mdat"].every((type) => types.has(type));
}
