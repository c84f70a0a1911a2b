/** The memory of a process that does nothing. */
import type { Sample } from "../measurement.ts";
import { currentRss } from "../resident.ts";
import type { Work } from "../work.ts";

/** The state of the idle process. */
export interface IdleWork extends Work {
  /** The package whose cache is opened, if any. */
  readonly module?: string;
}

interface Package {
  MediaCache: { open(options: { cacheDir: string }): Promise<unknown> };
}

/** Measures `rss`. */
export async function run(work: Work): Promise<Sample> {
  const { dir, module } = work as IdleWork;
  // Not as a literal: Deno would load it in any case.
  const loaded: Package | undefined = module && await import(module);
  await loaded?.MediaCache.open({ cacheDir: dir });
  await new Promise((resolve) => setTimeout(resolve, 100));
  return { measures: { rss: currentRss() ?? NaN } };
}
