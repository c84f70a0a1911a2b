import type { CacheStats } from "../core/api/stats.ts";

/**
 * Returns the stats under the keys of the Python original, with new keys in the
 * same form.
 */
export function statsJson(
  stats: CacheStats,
): { media_cache: Record<string, CacheStats[keyof CacheStats]> } {
  const entries = Object.entries(stats).map((
    [name, value]: [string, CacheStats[keyof CacheStats]],
  ) => [snakeCase(name), value]);
  return { media_cache: Object.fromEntries(entries) };
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
