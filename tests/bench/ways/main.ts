/**
 * Counts the calls of functions of `src`, and the files of these functions,
 * that one operation takes in the steady state.
 *
 *     ./denow task ways             # the table
 *     ./denow task ways put miss    # with the files of these, by calls
 *
 * Exits with 1 where an operation takes more than twice its goal.
 */
// deno-lint-ignore-file no-console
import { type CallCounts, callsOf, totalOf } from "./call_counts.ts";
import { OPERATIONS } from "./operations.ts";

/** The gate fails above this many times the goal. */
const TOLERANCE = 2;

const unknown = Deno.args.filter((name) => !(name in OPERATIONS));
if (unknown.length > 0) {
  console.error(
    `ways: no operation is called ${unknown.join(" ")}: there are ` +
      Object.keys(OPERATIONS).join(" "),
  );
  Deno.exit(2);
}

console.log("| operation | calls / files | goal |");
console.log("| --- | ---: | ---: |");
const lists: string[] = [];
for (const [name, { title, calls, files }] of Object.entries(OPERATIONS)) {
  const counts = await callsOf(name);
  const total = totalOf(counts);
  console.log(`| ${title} | ${total} / ${counts.size} | ${calls} / ${files} |`);
  if (total > TOLERANCE * calls || counts.size > TOLERANCE * files) {
    Deno.exitCode = 1;
  }
  if (Deno.args.includes(name)) {
    lists.push(`\n${title}\n${filesByCalls(counts)}`);
  }
}
for (const list of lists) console.log(list);

function filesByCalls(counts: CallCounts): string {
  return [...counts].map(([file, functions]) => {
    const calls = sum(functions.values());
    const names = [...functions].sort(([, a], [, b]) => b - a)
      .map(([name, calls]) => `${name} ${round(calls)}`).join(", ");
    return { calls, line: `${round(calls).padStart(6)}  ${file}: ${names}` };
  }).sort((a, b) => b.calls - a.calls).map(({ line }) => line).join("\n");
}

function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const each of numbers) total += each;
  return total;
}

function round(calls: number): string {
  return calls.toFixed(1).replace(".0", "");
}
