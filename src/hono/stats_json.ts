import type { CacheStats } from "../core/api/stats.ts";

/**
 * Returns the stats under the keys of the Python original, with new keys in the
 * same form.
 *
 * @param named Whether the name of the remote tier, which tells a host, is shown.
 */
export function statsJson(
  stats: CacheStats,
  named: boolean,
): { media_cache: Record<string, unknown> } {
  const { remote, ...rest } = stats;
  if (remote === undefined) return { media_cache: inSnakeCase(rest) };
  const { name, ...numbers } = remote;
  const shown = named ? { name, ...numbers } : numbers;
  return { media_cache: { ...inSnakeCase(rest), remote: inSnakeCase(shown) } };
}

function inSnakeCase(members: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(members).map(([name, value]) => [snakeCase(name), value]),
  );
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
