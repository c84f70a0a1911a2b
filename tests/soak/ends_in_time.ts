import { pause } from "./caller.ts";

/** How long what was begun may take to end, in milliseconds. */
const END_MS = 60_000;

/** Whether something ends in time. */
export async function endsInTime(what: Promise<unknown>): Promise<boolean> {
  return await Promise.race([
    what.then(() => true),
    pause(END_MS).then(() => false),
  ]);
}
