/**
 * Does one piece of work in a process of its own. Prints its measurements as
 * JSON.
 */
// deno-lint-ignore-file no-console
import type { OpenContender } from "./contenders/contender.ts";
import type { Job } from "./jobs/job.ts";
import { peakRss } from "./resident.ts";
import type { Work } from "./work.ts";

const work: Work & { modules: string[] } = JSON.parse(Deno.args[0] ?? "");
// Not as literals: Deno would fetch the packages of all contenders at once, and
// their modules would add to the memory of each.
const { run }: { run: Job } = await import(`./jobs/${work.job}.ts`);
const contender = work.contender && `./contenders/${work.contender}.ts`;
const opened: { open?: OpenContender } = contender
  ? await import(contender)
  : {};
// A job with limited permissions keeps those of users: one folder, which Deno
// compares with each path.
for (const path of work.modules) {
  Deno.permissions.revokeSync({ name: "read", path });
}
const sample = await run(work, opened.open);
const peakRssBytes = work.limited ? undefined : peakRss();
console.log(JSON.stringify({ peakRssBytes, ...sample }));
// Some contenders leave timers and sockets behind.
Deno.exit(0);
