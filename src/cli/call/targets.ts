import { keyOf } from "../../core/text/key.ts";
import type { Call } from "./call.ts";
import { Failure, UsageError } from "./failures.ts";
import type { Inspector } from "../../core/inspection.ts";

/** An entry named on the command line. */
export interface Target {
  /** Key of the entry. */
  readonly key: string;
  /** URL of the entry, where it was named by URL. */
  readonly url: string | undefined;
}

const KEY_PREFIX_REGEXP = /^[0-9a-f]{4,64}$/;

/** Returns the entries named by URL or by key, each once. */
export async function targetsOf(
  call: Call,
  inspector: Inspector,
): Promise<Target[]> {
  const targets = new Map<string, Target>();
  for (const operand of call.operands) {
    // The cache hashes a lone surrogate as U+FFFD.
    const given = operand.toWellFormed();
    const url = call.canonicalUrl?.(given) ?? given;
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
 * Returns the key that begins with these digits.
 *
 * @throws {UsageError} If the text is no beginning of a key.
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

/** Throws unless a call names from one to `most` entries. */
export function expectTargets(call: Call, most: number): void {
  const count = call.operands.length + call.texts("key").length;
  if (count === 0) throw new UsageError("a URL or --key is missing");
  if (count > most) throw new UsageError("one URL or --key is enough");
}
