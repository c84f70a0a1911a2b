/**
 * Operations that a file system may refuse while the cache goes on without
 * them, and what users lose by each. FAT has no links, many network mounts have
 * no locks, and some mounts let only the owner of a file set its times.
 */
const COSTS = {
  chmod: "who may read the directory is up to the file system",
  flock: "only one process at a time may use the directory",
  fsync: "a power cut may lose what was stored, durable or not",
  link:
    "a GIF that is deleted during its conversion may stay one, and an unread Media may fail when another process deletes its entry",
  utime: "a restart forgets which entries were used last",
} as const;

/** An operation that the cache can do without. */
export type Refusable = keyof typeof COSTS;

/** The names of all operations that the cache can do without, sorted. */
export const REFUSABLES: readonly string[] = Object.keys(COSTS).sort();

/**
 * Returns what users lose without an operation; empty for an unknown operation.
 */
export function costOf(operation: string): string {
  const costs: Readonly<Record<string, string>> = COSTS;
  return costs[operation] ?? "";
}

/**
 * Returns a line, without a full stop, about a refused operation: why it was
 * refused, and what users lose.
 */
export function describeRefusal(
  { operation, reason }: { operation: string; reason: string },
): string {
  return `the file system refuses ${operation} (${reason}): ${
    costOf(operation)
  }`;
}
