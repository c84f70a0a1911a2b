/** Resident memory and time of CPU, as Linux tells them. */

/** Clock ticks a second, which Linux has fixed for programs (`USER_HZ`). */
const TICKS = 100;

/** The most that was resident, in bytes; undefined on other systems. */
export function peakRss(): number | undefined {
  return status("VmHWM");
}

/** What is resident now, in bytes; undefined on other systems. */
export function currentRss(): number | undefined {
  return status("VmRSS");
}

/** Forgets the peak; returns what is resident now. */
export function resetPeak(): number {
  Deno.writeTextFileSync("/proc/self/clear_refs", "5");
  return currentRss() ?? NaN;
}

/** The peaks of a process and of its children, added up. */
export function peakRssOf(pid: number): number | undefined {
  return sum(family(pid).map((each) => status("VmHWM", each)));
}

/** Seconds of CPU that a process and its children have used by now. */
export function cpuSecondsOf(pid: number): number | undefined {
  return sum(
    family(pid).map((each) => {
      const text = Deno.readTextFileSync(`/proc/${each}/stat`);
      // The name, in parentheses, may hold blanks; what follows may not.
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
