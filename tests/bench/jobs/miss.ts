/** Downloads one long body that is not stored. */
import { drain, type OpenContender } from "../contenders/contender.ts";
import type { Work } from "../work.ts";
import { assertLength, Stopwatch } from "./job.ts";

/** The download of the job. */
export interface MissWork extends Work {
  /** The origin of the body. */
  readonly origin: string;
  /** Bytes of the body. */
  readonly size: number;
  /** Bytes of an unmeasured download before. */
  readonly warmUp: number;
}

/** Measures `miss`: until the last byte is read and every file is stored. */
export async function run(
  work: Work,
  open: OpenContender | undefined,
): Promise<Stopwatch> {
  const { dir, origin, size, warmUp } = work as MissWork;
  const contender = await open?.(dir);
  const watch = new Stopwatch();
  const download = async (size: number, name: string) => {
    const download = await contender?.download?.(`${origin}/${size}/${name}`);
    if (download === undefined) throw new Error("It can't download");
    assertLength(await drain(download.body), size);
    await download.stored;
  };
  await download(warmUp, "warm-up");
  await watch.time("miss", 1, 1, () => download(size, "miss"));
  return watch;
}
