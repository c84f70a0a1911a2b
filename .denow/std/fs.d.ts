export function ensureDir(dir: string | URL): Promise<void>;

export interface WalkEntry extends Deno.DirEntry {
  path: string;
}
export interface WalkOptions {
  maxDepth?: number;
  includeFiles?: boolean;
  includeDirs?: boolean;
  includeSymlinks?: boolean;
  followSymlinks?: boolean;
  canonicalize?: boolean;
  exts?: string[];
  match?: RegExp[];
  skip?: RegExp[];
}
export function walk(
  root: string | URL,
  options?: WalkOptions,
): AsyncIterableIterator<WalkEntry>;
