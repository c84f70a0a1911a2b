import { assertEquals } from "@std/assert";
import {
  formatAge,
  formatBytes,
  formatDuration,
  formatEntries,
  formatTime,
} from "../../../src/core/text/quantities.ts";

Deno.test("formatBytes() uses the largest unit that is full", () => {
  const cases: [number, string][] = [
    [0, "0 B"],
    [1023, "1023 B"],
    [1024, "1.0 KiB"],
    [1536, "1.5 KiB"],
    [1_048_524, "1023.9 KiB"],
    [1_048_575, "1.0 MiB"],
    [1_048_576, "1.0 MiB"],
    [5 * 2 ** 30, "5.0 GiB"],
    [2 ** 63, "8192.0 PiB"],
  ];
  for (const [bytes, text] of cases) assertEquals(formatBytes(bytes), text);
});

Deno.test("formatAge() counts in the largest full unit", () => {
  const cases: [number, string][] = [
    [-5000, "just now"],
    [999, "just now"],
    [59_999, "59s ago"],
    [60_000, "1m ago"],
    [3_599_999, "59m ago"],
    [25 * 3_600_000, "1d ago"],
    [40 * 86_400_000, "1mo ago"],
    [800 * 86_400_000, "2y ago"],
  ];
  const now = Date.UTC(2026, 0, 1);
  for (const [age, text] of cases) {
    assertEquals(formatAge(now - age, now), text);
  }
});

Deno.test("formatTime() gives the time and the age", () => {
  const time = new Date(2026, 7, 1, 9, 5, 3).getTime();
  assertEquals(formatTime(time, time + 60_000), "2026-08-01 09:05:03 (1m ago)");
});

Deno.test("formatDuration() and formatEntries() give readable text", () => {
  assertEquals(formatDuration(4230), "4.2 s");
  assertEquals(formatDuration(185_000), "3 min 5 s");
  assertEquals(formatEntries(1), "1 entry");
  assertEquals(formatEntries(1234), "1,234 entries");
});
