import type { FileSystem } from "./file_system.ts";

/** Whether somebody holds the lock of a staged file. */
export async function isLocked(fs: FileSystem, path: string): Promise<boolean> {
  try {
    const file = await fs.open(path);
    try {
      return !file.tryLock();
    } finally {
      file.close();
    }
  } catch {
    return false;
  }
}
