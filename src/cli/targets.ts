import { keyOf } from "../key.ts";
import type { Call } from "./call.ts";
import { UsageError } from "./failures.ts";
import type { Inspector } from "./inspection.ts";

/** An entry that a call names. */
export interface Target {
  /** Its key. */
  readonly key: string;
  /** Its URL, if that is how it was named. */
  readonly url: string | undefined;
}

/** The entries that a call names, by URL or by key, each once. */
export async function targetsOf(
  call: Call,
  inspector: Inspector,
): Promise<Target[]> {
  const targets = new Map<string, Target>();
  for (const operand of call.operands) {
    // A lone surrogate is hashed, by the cache, as U+FFFD.
    const url = operand.toWellFormed();
    const key = keyOf(url);
    targets.set(key, { key, url });
  }
  for (const prefix of call.texts("key")) {
    const key = await inspector.complete(prefix);
    if (!targets.has(key)) targets.set(key, { key, url: undefined });
  }
  return [...targets.values()];
}

/** Throws unless a call names an entry, or just one. */
export function expectTargets(call: Call, most: number): void {
  const count = call.operands.length + call.texts("key").length;
  if (count === 0) throw new UsageError("a URL or --key is missing");
  if (count > most) throw new UsageError("one URL or --key is enough");
}
