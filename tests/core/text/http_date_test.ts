import { assertEquals } from "@std/assert";
import { parseHttpDate } from "../../../src/core/text/http_date.ts";
import { runProgram } from "../../fixtures/processes/program.ts";

const NOW = Date.UTC(2026, 10, 29, 12);
const EXAMPLE = 784_111_777_000;

const DATES: [text: string, timeMs: number][] = [
  ["Sun, 06 Nov 1994 08:49:37 GMT", EXAMPLE],
  ["Sunday, 06-Nov-94 08:49:37 GMT", EXAMPLE],
  ["Sun Nov  6 08:49:37 1994", EXAMPLE],
  ["Sun Nov 06 08:49:37 1994", EXAMPLE],
  ["Wed Nov 16 08:49:37 1994", EXAMPLE + 10 * 86_400_000],
  ["Thu, 01 Jan 1970 00:00:00 GMT", 0],
  ["Thu, 29 Feb 2024 23:59:59 GMT", Date.UTC(2024, 1, 29, 23, 59, 59)],
  // A leap second.
  ["Sat, 31 Dec 2016 23:59:60 GMT", Date.UTC(2017, 0, 1)],
  ["Fri, 31 Dec 9999 23:59:59 GMT", Date.UTC(9999, 11, 31, 23, 59, 59)],
  // Before 100: Date.UTC() would read it as a year of the last century.
  ["Mon, 01 Jan 0001 00:00:00 GMT", -62_135_596_800_000],
  // Up to 50 years from now; a later year lies in the past.
  ["Sunday, 29-Nov-76 12:00:00 GMT", Date.UTC(2076, 10, 29, 12)],
  ["Monday, 29-Nov-76 12:00:01 GMT", Date.UTC(1976, 10, 29, 12, 0, 1)],
  ["Tuesday, 29-Feb-00 00:00:00 GMT", Date.UTC(2000, 1, 29)],
];

const NO_DATES = [
  "",
  "2030",
  "foo 1",
  "2030-01-01",
  "2030-01-01T00:00:00Z",
  "784111777",
  "null",
  // Forms that Date.parse() takes.
  "06 Nov 1994 08:49:37 GMT",
  "Sun, 6 Nov 1994 08:49:37 GMT",
  "Sun, 06 Nov 1994 08:49:37",
  "Sun, 06 Nov 1994 08:49:37 UTC",
  "Sun, 06 Nov 1994 08:49:37 +0000",
  "Sun, 06 Nov 1994 08:49:37 EST",
  "Sun, 06 Nov 1994 08:49 GMT",
  "Sun, 06-Nov-1994 08:49:37 GMT",
  "Sun, 06 Nov 94 08:49:37 GMT",
  "Sunday, 06 Nov 1994 08:49:37 GMT",
  "Sun Nov 6 08:49:37 1994",
  "Sun Nov  6 08:49:37 1994 GMT",
  "Sun Nov  6 08:49:37 +0000 1994",
  // Names of days, months and the zone are case-sensitive.
  "sun, 06 Nov 1994 08:49:37 GMT",
  "Sun, 06 nov 1994 08:49:37 GMT",
  "Sun, 06 Nov 1994 08:49:37 gmt",
  // Two values, and text around a value.
  "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
  " Sun, 06 Nov 1994 08:49:37 GMT",
  "Sun, 06 Nov 1994 08:49:37 GMT\n",
  // Days and times that do not exist, or have other names.
  "Mon, 06 Nov 1994 08:49:37 GMT",
  "Sun, 31 Nov 1994 08:49:37 GMT",
  "Wed, 30 Feb 2024 00:00:00 GMT",
  "Wed, 29 Feb 2023 00:00:00 GMT",
  "Sun, 00 Nov 1994 08:49:37 GMT",
  "Sun Nov  0 08:49:37 1994",
  "Sun, 06 Nov 1994 24:00:00 GMT",
  "Sun, 06 Nov 1994 08:60:37 GMT",
  "Sun, 06 Nov 1994 08:49:61 GMT",
  "Sun, 06 Nov 1994 ０8:49:37 GMT",
];

Deno.test("parseHttpDate() reads the three forms of RFC 9110", () => {
  for (const [text, timeMs] of DATES) {
    assertEquals(parseHttpDate(text, NOW), timeMs, text);
  }
});

Deno.test("parseHttpDate() reads nothing else", () => {
  for (const text of NO_DATES) {
    assertEquals(parseHttpDate(text, NOW), undefined, JSON.stringify(text));
  }
});

for (const TZ of ["America/New_York", "Asia/Kolkata", "Pacific/Apia"]) {
  Deno.test(`parseHttpDate() reads the same where TZ is ${TZ}`, async () => {
    const path = import.meta.resolve("../../../src/core/text/http_date.ts");
    const texts = JSON.stringify(DATES.map(([text]) => text));

    const [times, offset] = await runProgram(
      `import { parseHttpDate } from "${path}";
      const times = ${texts}.map((text) => parseHttpDate(text, ${NOW}));
      console.log(JSON.stringify(times));
      console.log(new Date(${NOW}).getTimezoneOffset());
      void MediaCache, cacheDir;`,
      { env: { TZ } },
    );

    assertEquals(times, DATES.map(([, timeMs]) => timeMs));
    assertEquals(offset === 0, false, "the zone is in force");
  });
}
