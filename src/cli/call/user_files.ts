/*
 * Files that a user names, other than the cache's own. Of the tool, this file
 * alone calls the file system.
 */
import { basename } from "@std/path/basename";
import { dirname } from "@std/path/dirname";
import { join } from "@std/path/join";
import { Failure, reasonOf } from "./failures.ts";

/** The mode of a new file, before the umask of the process. */
const NEW_MODE = 0o666;
/**
 * UTF-16 units of the name that the name of a part file keeps: a unit takes 4
 * bytes at most, a name 255.
 */
const MAX_NAME_PART = 50;

/**
 * Checks that a folder exists, and never creates it.
 *
 * @throws {Failure} If it does not exist.
 */
export async function expectFolder(dir: string): Promise<void> {
  let isDirectory: boolean;
  try {
    ({ isDirectory } = await Deno.stat(dir));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new Failure(`there is no folder ${dir}`, { cause: error });
    }
    throw new Failure(`can't open ${dir}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
  if (!isDirectory) throw new Failure(`${dir} is not a folder`);
}

/** Returns the bytes of a file, which may be a pipe or a device. */
export async function readFile(path: string): Promise<Uint8Array> {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    const reason = error instanceof Deno.errors.NotFound
      ? "there is no such file, and a URL begins with http:// or https://"
      : reasonOf(error);
    throw new Failure(`can't read ${path}: ${reason}`, { cause: error });
  }
}

/**
 * Writes a stream to a file. A regular file appears, or is replaced, when all
 * bytes are on disk; a device or a pipe gets each chunk at once.
 *
 * @param outside The cache's folder, in which no file may be written.
 * @throws {Failure} If the file lies in that folder, or can't be written.
 */
export async function writeStream(
  path: string,
  stream: ReadableStream<Uint8Array>,
  outside: string,
): Promise<void> {
  try {
    const { target, mode } = await targetOf(path);
    if (mode === "device") return await writeTo(target, stream, {});
    const folder = join(await Deno.realPath(outside), "/");
    if (target.startsWith(folder)) {
      throw new Error(`it must lie outside of ${outside}`);
    }
    const beside = join(dirname(target), partName(basename(target)));
    try {
      await writeTo(beside, stream, { createNew: true, mode });
      await Deno.rename(beside, target);
    } catch (error) {
      await Deno.remove(beside).catch(() => {});
      throw error;
    }
  } catch (error) {
    await stream.cancel().catch(() => {});
    throw new Failure(`can't write ${path}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

/** Resolves links, and returns the path and the mode of the file to write. */
async function targetOf(
  path: string,
): Promise<{ target: string; mode: number | "device" }> {
  try {
    const target = await Deno.realPath(path);
    const { isFile, isDirectory, mode } = await Deno.stat(target);
    if (isDirectory) throw new Error("it is a folder");
    return { target, mode: isFile ? (mode ?? NEW_MODE) & 0o777 : "device" };
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    const folder = await Deno.realPath(dirname(path));
    return { target: join(folder, basename(path)), mode: NEW_MODE };
  }
}

/**
 * Returns a name that no other process uses, short enough for any file system.
 */
function partName(name: string): string {
  const unique = crypto.randomUUID().slice(0, 8);
  return `.${name.slice(0, MAX_NAME_PART)}.${unique}.part`;
}

async function writeTo(
  path: string,
  stream: ReadableStream<Uint8Array>,
  options: Deno.OpenOptions,
): Promise<void> {
  using file = await Deno.open(path, { write: true, ...options });
  // Deno's `writeFile()` and `writable` lose the error of the last chunk.
  for await (const chunk of stream) {
    for (let done = 0; done < chunk.length;) {
      done += await file.write(chunk.subarray(done));
    }
  }
}
