/**
 * What a file system hands out at a time, in bytes. Deno does not tell it of a
 * disk; it is the default of ext4, XFS, Btrfs, tmpfs, APFS and NTFS.
 */
export const BLOCK_BYTES = 4096;

/** What a file of so many bytes takes on disk. */
export function inBlocks(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES;
}
