/**
 * The first release of Deno that the cache works on. It brought
 * `Deno.FsFile.tryLockSync()` (denoland/deno#31848), which tells a running download
 * of another process from a leftover.
 */
export const LEAST_DENO = "2.7";

/**
 * Why the cache can't work on this Deno; undefined when it can. The feature
 * decides, not the version: builds from source may have any.
 */
export function denoProblem(): string | undefined {
  if (typeof Deno.FsFile.prototype.tryLockSync === "function") return undefined;
  return `Deno must be ${LEAST_DENO} or later: this is ${Deno.version.deno}`;
}
