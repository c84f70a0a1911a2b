/** The directory of all measurements. */
import { statfs } from "node:fs/promises";
import os from "node:os";
import { MIB } from "./bench.ts";
import { tryProgram } from "./program.ts";

/** A new directory, and its file system. */
export interface Place extends AsyncDisposable {
  /** The path of the directory. */
  readonly path: string;
  /** The file system, such as "tmpfs". */
  readonly fileSystem: string;
}

/** Magic numbers of statfs(2). */
const FILE_SYSTEMS: Readonly<Record<number, string>> = {
  0x01021994: "tmpfs",
  0xef53: "ext4",
  0x58465342: "xfs",
  0x9123683e: "btrfs",
  0x794c7630: "overlayfs",
  0x6969: "nfs",
};

/** Makes the directory, in memory unless told otherwise. */
export async function makePlace(parent: string | undefined): Promise<Place> {
  const dir = parent ?? await sharedMemory();
  const path = await Deno.makeTempDir({
    ...(dir && { dir }),
    prefix: "media-cache-bench-",
  });
  await spreadOut(path);
  const { type } = await statfs(path);
  return {
    path,
    fileSystem: FILE_SYSTEMS[type] ?? `file system ${type.toString(16)}`,
    [Symbol.asyncDispose]: () => removeAll(path),
  };
}

/** A worker that was just stopped may still write a file meanwhile. */
async function removeAll(path: string): Promise<void> {
  for (let attempt = 1;; attempt++) {
    try {
      return await Deno.remove(path, { recursive: true });
    } catch (error) {
      if (attempt === 10) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/**
 * Writes and removes a file. The host may give a virtual machine its memory
 * only when the memory is first touched, at a tenth of the speed.
 */
export async function touchMemory(dir: string, bytes: number): Promise<void> {
  const path = `${dir}/touched`;
  const file = await Deno.create(path);
  const block = new Uint8Array(MIB).fill(1);
  for (let written = 0; written < bytes; written += block.length) {
    await file.write(block);
  }
  file.close();
  await Deno.remove(path);
}

/**
 * Whether this many files of a block each fit on a directory's disk, or in
 * memory.
 */
export async function fits(dir: string, files: number): Promise<boolean> {
  const { bsize, bavail, type } = await statfs(dir);
  const needed = files * (Math.max(bsize, 4096) + 1024);
  const inMemory = FILE_SYSTEMS[type] === "tmpfs";
  const free = inMemory
    ? Math.min(bsize * bavail, os.freemem())
    : bsize * bavail;
  return needed < free * 0.8;
}

async function sharedMemory(): Promise<string | undefined> {
  const dir = "/dev/shm";
  const info = await Deno.stat(dir).catch(() => undefined);
  return info?.isDirectory ? dir : undefined;
}

/**
 * ext4 makes files slowly where many were just removed. With this attribute
 * each cell's directory gets a block group of its own. On other file systems,
 * or without the right to set it, setting fails, and nothing is lost.
 */
async function spreadOut(path: string): Promise<void> {
  await tryProgram("chattr", ["+T", path]);
}
