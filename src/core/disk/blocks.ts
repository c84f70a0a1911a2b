/**
 * The block of a file system, in bytes. Deno does not tell the size of a disk's
 * blocks; 4096 is the default of ext4, XFS, Btrfs, tmpfs, APFS and NTFS.
 */
export const BLOCK_BYTES = 4096;

/** The bytes that a file of `bytes` takes on disk: rounded up to whole blocks. */
export function inBlocks(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES;
}
