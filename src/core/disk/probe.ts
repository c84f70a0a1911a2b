import { denoProblem } from "./deno_release.ts";
import type { PairStore } from "./pair_store.ts";
import { MediaCacheError } from "../api/errors.ts";
import { errorFacts, failureReason } from "../text/failure_reason.ts";

/** Why a directory can't be used now; undefined when it can. No path is told. */
export async function probe(store: PairStore): Promise<string | undefined> {
  const problem = denoProblem();
  if (problem !== undefined) return problem;
  try {
    await store.probe();
  } catch (error) {
    return `the directory can't be used: ${reasonOf(error)}`;
  }
  return undefined;
}

// A probe's answer may be shown to anybody, and messages hold paths.
function reasonOf(error: unknown): string {
  if (error instanceof MediaCacheError) {
    return error.cause instanceof Error
      ? reasonOf(error.cause)
      : "a permission is missing";
  }
  return failureReason(errorFacts(error));
}
