const UNITS = ["KiB", "MiB", "GiB", "TiB", "PiB"];

const AGES: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 31_556_952_000],
  ["month", 2_629_746_000],
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
];

const relative = new Intl.RelativeTimeFormat("en", { style: "narrow" });

/** Formats bytes: `532 B`, `12.3 MiB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  let value = bytes / 1024;
  let unit = 0;
  // 1023.96 would be rounded to 1024.0.
  while (value >= 1023.95 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value.toFixed(1)} ${UNITS[unit]}`;
}

/** Formats a number: `1,234`. */
export function formatCount(count: number): string {
  return count.toLocaleString("en");
}

/** Formats a number of entries: `1 entry`, `1,234 entries`. */
export function formatEntries(count: number): string {
  return `${formatCount(count)} ${count === 1 ? "entry" : "entries"}`;
}

/** Formats the time since a moment: `5m ago`, `just now`. */
export function formatAge(timeMs: number, nowMs: number = Date.now()): string {
  const age = nowMs - timeMs;
  if (age < 1000) return "just now";
  const [unit, length] = AGES.find(([, each]) => age >= each) ??
    ["second", 1000] as const;
  return relative.format(-Math.floor(age / length), unit);
}

/** Formats a moment in local time: `2026-08-01 12:00:03 (5m ago)`. */
export function formatTime(timeMs: number, nowMs: number = Date.now()): string {
  // The Swedish locale writes local time as ISO 8601 does.
  const local = new Date(timeMs).toLocaleString("sv-SE");
  return `${local} (${formatAge(timeMs, nowMs)})`;
}

/** Formats a duration: `4.2 s`, `3 min 5 s`. */
export function formatDuration(durationMs: number): string {
  const seconds = durationMs / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
