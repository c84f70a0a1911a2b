import { DownloadTimeoutError } from "../api/errors.ts";
import { Deadline } from "../async/deadline.ts";
import { startWait } from "../async/timer.ts";
import type { DiskFile } from "../disk/disk_file.ts";
import type {
  DownloadParts,
  DownloadTask,
} from "../download/download_parts.ts";

/** The time between two looks at the check of another process, in milliseconds. */
const LOOK_MS = 20;

/**
 * Waits until the process that has claimed the URL of a task has ended its download, and
 * closes the file.
 *
 * @param file The staged file of that process.
 * @throws The reason of the task's signal, which a silent process aborts, too.
 */
export async function outlast(
  { claims, options: { idleTimeoutMs, timeoutMs } }: Pick<
    DownloadParts,
    "claims" | "options"
  >,
  { key, controller }: Pick<DownloadTask, "key" | "controller">,
  file: DiskFile,
): Promise<void> {
  const { signal } = controller;
  const deadline = new Deadline(
    idleTimeoutMs,
    timeoutMs,
    (kind, limitMs) =>
      controller.abort(new DownloadTimeoutError(limitMs, kind)),
  );
  let bytes = 0;
  try {
    for (;;) {
      signal.throwIfAborted();
      const isFree = file.tryLock(true);
      if (isFree) file.unlock();
      if (isFree || !await claims.isCurrent(key, file.identity)) return;
      const { size } = await file.facts();
      if (size !== bytes) deadline.alive();
      bytes = size;
      await startWait(LOOK_MS, signal).ended;
    }
  } finally {
    deadline.stop();
    file.close();
  }
}
