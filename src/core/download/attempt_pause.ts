import type { Deadline } from "../async/deadline.ts";
import { startWait } from "../async/timer.ts";
import type { DownloadParts, DownloadTask } from "./download_parts.ts";
import type { BodyReceiver } from "./receive_body.ts";

/**
 * Waits between two attempts of a download, without a slot. The time counts for the limit
 * in all, and not as silence of the origin.
 *
 * @throws The reason of the signal that ends the download.
 */
export async function pauseAttempts(
  { slots }: DownloadParts,
  task: DownloadTask,
  { isHandedOut }: BodyReceiver,
  waitMs: number,
  deadline: Deadline,
): Promise<void> {
  const { slot, controller: { signal } } = task;
  const { phase } = task;
  task.phase = "waiting";
  slots.leave(slot);
  deadline.pause();
  try {
    await startWait(waitMs, signal).ended;
    signal.throwIfAborted();
    // Readers in the middle of a body wait for no slot.
    if (isHandedOut) slots.resume(slot);
    else if (!slots.tryTake(slot)) await slots.wait(slot, signal);
  } finally {
    deadline.resume();
    task.phase = phase;
  }
}
