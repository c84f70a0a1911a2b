/*
 * The files that a user names beside the cache's own: the only file of the tool
 * that calls the file system itself.
 */
import { Failure, reasonOf } from "./failures.ts";

/**
 * Sees to it that a folder is there; nothing makes it.
 *
 * @throws {Failure} If it is not.
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

/** The bytes of a file: a regular one, a pipe, whatever can be read. */
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

/** Writes a stream to a file, in place of what it holds. */
export async function writeStream(
  path: string,
  stream: ReadableStream<Uint8Array>,
): Promise<void> {
  try {
    using file = await Deno.open(path, {
      write: true,
      create: true,
      truncate: true,
    });
    // Deno's `writeFile()` and `writable` lose what the disk says to the last chunk.
    for await (const chunk of stream) {
      for (let done = 0; done < chunk.length;) {
        done += await file.write(chunk.subarray(done));
      }
    }
  } catch (error) {
    throw new Failure(`can't write ${path}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}
