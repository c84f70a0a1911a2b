/** The memory that a bare fetch needs, for comparison. */
import { drain } from "../contenders/contender.ts";
import type { Sample } from "../measurement.ts";
import { peakRss, resetPeak } from "../resident.ts";
import type { Work } from "../work.ts";
import type { MissWork } from "./miss.ts";

/** Measures `growth` of resident memory. */
export async function run(work: Work): Promise<Sample> {
  const { origin, size, warmUp } = work as MissWork;
  const fetchAll = async (size: number) => {
    const { body } = await fetch(`${origin}/${size}/bare`);
    if (body !== null) await drain(body);
  };
  await fetchAll(warmUp);
  const resident = resetPeak();
  await fetchAll(size);
  const growth = (peakRss() ?? NaN) - resident;
  return { measures: { growth, "growth-at-end": growth } };
}
