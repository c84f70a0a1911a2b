/**
 * Plain code without a cache: a file, no sidecar, no atomic rename.
 * A floor.
 */
import { join } from "@std/path";
import type { Contender } from "./contender.ts";

/** Opens the contender. */
export async function open(dir: string): Promise<Contender> {
  await Deno.mkdir(dir, { recursive: true });
  const path = (url: string) => join(dir, encodeURIComponent(url));
  return {
    put: (url, data) => Deno.writeFile(path(url), data),
    bytes: async (url) => (await Deno.readFile(path(url))).length,
    stream: async (url) => (await Deno.open(path(url))).readable,
  };
}
