import { normalizeMimetype } from "./mimetype.ts";

/** A type, all subtypes of a type, or all types (`Accept` of RFC 9110 §12.5.1, without parameters). */
const MEDIA_RANGE_REGEXP =
  /^(?:\*|[\w!#$%&'+.^`|~-]{1,127})\/(?:\*|[\w!#$%&'+.^`|~-]{1,127})$/;

/** Types that belong to another main type, too (WHATWG MIME Sniffing, "MIME type groups"). */
const OTHER_GROUPS: Readonly<Record<string, readonly string[]>> = {
  "application/ogg": ["audio", "video"],
  "application/vnd.ms-fontobject": ["font"],
};

/** The wanted value of an option that lists media ranges, for messages. */
export const MEDIA_RANGES_WANTED =
  "an array of media types such as image/png, image/* or */*";

/**
 * Tells whether a text is a media range.
 *
 * @param text A type without parameters, in any case.
 * @returns True for `image/png`, `image/*` and the wildcard of all types.
 */
export function isMediaRange(text: string): boolean {
  return MEDIA_RANGE_REGEXP.test(text) && !/^\*\/[^*]/.test(text);
}

/**
 * Tells whether a type is in one of several media ranges.
 *
 * `image/*` leaves out SVG and other XML, which can run script: such a type has to be
 * named. `audio/*` and `video/*` have `application/ogg`, which may hold either.
 *
 * @param mimetype The type; case and parameters do not matter.
 * @param ranges The media ranges, in any case.
 */
export function isInRanges(
  mimetype: string,
  ranges: readonly string[],
): boolean {
  const essence = normalizeMimetype(mimetype);
  const [main = ""] = essence.split("/");
  const groups = main === "image" && essence.endsWith("+xml") ? [] : [main];
  const names = [...groups, ...OTHER_GROUPS[essence] ?? []]
    .map((group) => `${group}/*`);
  return ranges.some((range) =>
    [essence, "*/*", ...names].includes(range.toLowerCase())
  );
}
