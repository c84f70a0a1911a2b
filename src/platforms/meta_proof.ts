import type { Parameter } from "./query.ts";

/**
 * Parameters of the content network of Meta that select no bytes: `oh`, a signature,
 * `oe`, its expiry as a hexadecimal time, and `_nc_…`, which steer and count the
 * delivery. `stp` selects size and format, and stays.
 */
export function isMetaProof({ name }: Parameter): boolean {
  return name === "oh" || name === "oe" || name.startsWith("_nc_");
}
