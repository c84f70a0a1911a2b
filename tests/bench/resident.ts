/** Resident memory, as Linux tells it. */

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

function status(name: string): number | undefined {
  if (Deno.build.os !== "linux") return undefined;
  const text = Deno.readTextFileSync("/proc/self/status");
  const match = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text);
  return match === null ? undefined : Number(match[1]) * 1024;
}
