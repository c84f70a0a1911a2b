import { startIdleInterval } from "../async/timer.ts";
import type { StagedFacts, StagedPause } from "../disk/staged_description.ts";
import type { StagedFile } from "../disk/staged_file.ts";
import type { DownloadParts, DownloadTask } from "./download_parts.ts";
import { describeBody } from "./stage_body.ts";

/**
 * While no bytes come, followers get a sign of life this often within `idleTimeoutMs`:
 * then a single late one does no harm.
 */
const BEATS = 4;

/** The longest time between two signs of life (ms): a follower may be less patient. */
const MAX_BEAT_MS = 250;

/**
 * Runs a task during which no bytes come, and shows other processes that this one lives:
 * followers would take the silence for that of a dead origin.
 *
 * @param staged The staged body; undefined for a body that no process can follow.
 * @param facts The facts of the body, or why it has none yet.
 */
export async function withBeat<T>(
  parts: DownloadParts,
  download: DownloadTask,
  staged: StagedFile | undefined,
  facts: StagedFacts | StagedPause,
  task: () => Promise<T>,
): Promise<T> {
  if (staged === undefined) return await task();
  await describeBody(parts, download, staged, facts);
  const { idleTimeoutMs } = parts.options;
  const everyMs = Math.min(MAX_BEAT_MS, idleTimeoutMs / BEATS);
  const beat = () => staged.description?.beat();
  const stop = startIdleInterval(everyMs, beat);
  try {
    return await task();
  } finally {
    stop();
  }
}
