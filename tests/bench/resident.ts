/** Resident memory and CPU time, from Linux. */

/** Clock ticks a second, which Linux has fixed for programs (`USER_HZ`). */
const TICKS = 100;

/** The peak of resident memory, in bytes; undefined on other systems. */
export function peakRss(): number | undefined {
  return status("VmHWM");
}

/** The resident memory now, in bytes; undefined on other systems. */
export function currentRss(): number | undefined {
  return status("VmRSS");
}

/** Resets the peak; returns the resident memory now. */
export function resetPeak(): number {
  Deno.writeTextFileSync("/proc/self/clear_refs", "5");
  return currentRss() ?? NaN;
}

/** The peaks of a process and of its children, summed. */
export function peakRssOf(pid: number): number | undefined {
  return sum(family(pid).map((each) => status("VmHWM", each)));
}

/** Seconds of CPU that a process and its children have used. */
export function cpuSecondsOf(pid: number): number | undefined {
  return sum(
    family(pid).map((each) => {
      const text = Deno.readTextFileSync(`/proc/${each}/stat`);
      // The name, in parentheses, may contain blanks; the fields after it may
      // not.
      const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
      return (Number(fields[11]) + Number(fields[12])) / TICKS;
    }),
  );
}

function family(pid: number): number[] {
  if (Deno.build.os !== "linux") return [];
  const text = Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`);
  return [pid, ...text.split(" ").filter((each) => each !== "").map(Number)];
}

function sum(values: (number | undefined)[]): number | undefined {
  const known = values.filter((each) => each !== undefined);
  return known.length === 0 ? undefined : known.reduce((a, b) => a + b);
}

function status(
  name: string,
  process: number | "self" = "self",
): number | undefined {
  if (Deno.build.os !== "linux") return undefined;
  const text = Deno.readTextFileSync(`/proc/${process}/status`);
  const match = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text);
  return match === null ? undefined : Number(match[1]) * 1024;
}
