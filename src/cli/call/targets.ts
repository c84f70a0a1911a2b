import { keyOf } from "../../core/text/key.ts";
import type { Call } from "./call.ts";
import { Failure, UsageError } from "./failures.ts";
import type { Inspector } from "../../core/inspection.ts";

/** An entry that a call names. */
export interface Target {
  /** Its key. */
  readonly key: string;
  /** Its URL, if that is how it was named. */
  readonly url: string | undefined;
}

const KEY_PREFIX_REGEXP = /^[0-9a-f]{4,64}$/;

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
    const key = await completeKey(prefix, inspector);
    if (!targets.has(key)) targets.set(key, { key, url: undefined });
  }
  return [...targets.values()];
}

/**
 * The key that begins with these digits.
 *
 * @throws {UsageError} If they are no digits of a key.
 * @throws {Failure} If there is not exactly one such key.
 */
async function completeKey(
  prefix: string,
  inspector: Inspector,
): Promise<string> {
  if (!KEY_PREFIX_REGEXP.test(prefix)) {
    throw new UsageError(
      `--key must be 4 to 64 hexadecimal digits: received ${prefix}`,
    );
  }
  if (prefix.length === 64) return prefix;
  const keys = await inspector.keysFrom(prefix);
  const [key] = keys;
  if (key === undefined) throw new Failure(`no key begins with ${prefix}`);
  if (keys.size === 1) return key;
  throw new Failure(`${keys.size} keys begin with ${prefix}: give more digits`);
}

/** Throws unless a call names an entry, or just one. */
export function expectTargets(call: Call, most: number): void {
  const count = call.operands.length + call.texts("key").length;
  if (count === 0) throw new UsageError("a URL or --key is missing");
  if (count > most) throw new UsageError("one URL or --key is enough");
}
