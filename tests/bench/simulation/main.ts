/**
 * Simulates hosts that share a bucket, and writes what they cost and do.
 *
 *     ./denow task simulate --help
 */
// deno-lint-ignore-file no-console
import { fromFileUrl, join } from "@std/path";
import { parseArgs } from "node:util";
import { svgOf } from "../chart.ts";
import { replaceBetween } from "../readme.ts";
import type { BucketUse } from "./bucket.ts";
import {
  charts,
  costTable,
  hitTable,
  leaseTable,
  RULE_DAYS,
  ruleTable,
  shareTable,
  TABLED,
} from "./report.ts";
import { BASELINE, type Scenario } from "./scenario.ts";
import { type Result, simulate } from "./simulate.ts";

const HELP =
  `Simulates hosts that share a bucket: hit rates, requests and money of a month.

    ./denow task simulate [options]

  --quick       a hundredth of the requests, in a second
  --plots DIR   draw the curves as SVG into a folder
  --readme      write tables and curves into src/s3/README.md and .github/plots
  --help        print this text
`;

/** The use of a bucket in most tables. */
const USE: BucketUse = { expireDays: RULE_DAYS, lease: false };

const USES: readonly BucketUse[] = [
  ...[1, 3, 7, 14, RULE_DAYS, Infinity]
    .map((expireDays) => ({ expireDays, lease: false })),
  { expireDays: RULE_DAYS, lease: true },
];

const { values: options } = parseArgs({
  args: Deno.args,
  options: {
    quick: { type: "boolean", default: false },
    plots: { type: "string" },
    readme: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (options.help) {
  console.log(HELP);
  Deno.exit();
}
const root = new URL("../../../", import.meta.url);
const baseline: Scenario = options.quick
  ? { ...BASELINE, requestsPerDay: 100, sharedMedia: 1000, ownMedia: 100 }
  : BASELINE;

const results: Result[] = [];
for (const hosts of [1, 3, 10, 30, 100]) {
  console.error(`${hosts} hosts`);
  results.push(simulate({ ...baseline, hosts }, USES));
}
const shares = [0, 0.25, 0.5, 1].map((sharedShare) => {
  console.error(`10 hosts, ${100 * sharedShare} % wanted alike`);
  return simulate({ ...baseline, hosts: 10, sharedShare }, [USE]);
});
const tabled = results.filter(({ scenario }) =>
  TABLED.includes(scenario.hosts)
);
const tables = {
  "simulated hits": hitTable(tabled),
  "simulated shares": shareTable(shares),
  "simulated cost": costTable(tabled),
  "simulated lease": leaseTable(tabled),
  "simulated rule": ruleTable(tabled),
};
for (const [name, table] of Object.entries(tables)) {
  console.log(`\n## ${name}\n\n${table}`);
}

const plots = options.plots ??
  (options.readme ? fromFileUrl(new URL(".github/plots", root)) : undefined);
if (plots !== undefined) {
  await Deno.mkdir(plots, { recursive: true });
  for (const chart of charts(results)) {
    const path = join(plots, `${chart.name}.svg`);
    await Deno.writeTextFile(path, svgOf(chart));
    console.log(`Plot: ${path}`);
  }
}
if (options.readme) {
  const path = fromFileUrl(new URL("src/s3/README.md", root));
  let text = await Deno.readTextFile(path);
  for (const [name, table] of Object.entries(tables)) {
    text = replaceBetween(text, name, table);
  }
  await Deno.writeTextFile(path, text);
  await new Deno.Command(Deno.execPath(), { args: ["fmt", path] }).output();
  console.log(`Figures: ${path}`);
}
