const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

const DAY = `(?<dayName>${DAYS.join("|")})`;
const LONG_DAY = "(?<dayName>Sun|Mon|Tues|Wednes|Thurs|Fri|Satur)day";
const MONTH = `(?<month>${MONTHS.join("|")})`;
const TIME = "(?<hour>\\d\\d):(?<minute>\\d\\d):(?<second>\\d\\d)";

/** The three forms of RFC 9110 §5.6.7, which are case-sensitive. */
const FORMS = [
  `${DAY}, (?<day>\\d\\d) ${MONTH} (?<year>\\d{4}) ${TIME} GMT`,
  `${LONG_DAY}, (?<day>\\d\\d)-${MONTH}-(?<year>\\d\\d) ${TIME} GMT`,
  `${DAY} ${MONTH} (?<day>[ \\d]\\d) ${TIME} (?<year>\\d{4})`,
].map((form) => new RegExp(`^${form}$`));

/**
 * Reads an HTTP-date (RFC 9110 §5.6.7): IMF-fixdate, RFC 850 and asctime, all
 * in GMT. `Date.parse()` would read asctime in the local time zone, and accept
 * other formats.
 *
 * @param text The field value.
 * @param now Current time in milliseconds since the epoch: decides the century
 * of years with two digits.
 * @returns Milliseconds since the epoch, or undefined where the text is not an
 * HTTP-date, or names a day that does not exist or has another name.
 */
export function parseHttpDate(
  text: string,
  now: number = Date.now(),
): number | undefined {
  for (const form of FORMS) {
    const fields = form.exec(text)?.groups;
    if (fields !== undefined) return timeOf(fields, now);
  }
  return undefined;
}

/**
 * Reads a Retry-After header (RFC 9110 §10.2.3): seconds, or an HTTP-date.
 *
 * @param value The header's value, if there is one.
 * @param now Current time in milliseconds since the epoch.
 * @returns Milliseconds to wait from `now` on; 0 for a date that has passed;
 * the largest safe integer for more; undefined for any other value.
 */
export function parseRetryAfter(
  value: string | null | undefined,
  now: number = Date.now(),
): number | undefined {
  const text = value?.trim() ?? "";
  if (/^\d+$/.test(text)) {
    return Math.min(Number(text) * 1000, Number.MAX_SAFE_INTEGER);
  }
  const date = parseHttpDate(text, now);

  return date === undefined ? undefined : Math.max(0, date - now);
}

function timeOf(
  fields: Record<string, string>,
  now: number,
): number | undefined {
  const { dayName = "", month = "", year = "", ...rest } = fields;
  const [day = 0, hour = 0, minute = 0, second = 0] = [
    rest["day"],
    rest["hour"],
    rest["minute"],
    rest["second"],
  ].map(Number);
  // Second 60 is a leap second: the first second of the next minute. An hour
  // above 23 gives another day, which the check below finds.
  if (minute > 59 || second > 60) return undefined;
  const date = new Date(0);
  const setYear = (year: number) => {
    date.setUTCFullYear(year, MONTHS.indexOf(month), day);
    date.setUTCHours(hour, minute, second);
  };
  if (year.length === 4) setYear(Number(year));
  else {
    const century = Math.floor(new Date(now).getUTCFullYear() / 100) * 100;
    setYear(century + Number(year));
    if (date.getTime() > inFiftyYears(now)) {
      setYear(century - 100 + Number(year));
    }
  }
  // Without the seconds: a leap second may belong to the next day.
  const named = new Date(date.getTime() - second * 1000);
  const isReal = named.getUTCDate() === day &&
    DAYS[named.getUTCDay()] === dayName.slice(0, 3);
  return isReal ? date.getTime() : undefined;
}

function inFiftyYears(now: number): number {
  const date = new Date(now);
  return date.setUTCFullYear(date.getUTCFullYear() + 50);
}
