// Characters that a terminal obeys or hides: controls (C1 included, where some
// terminals find escape sequences), line separators, marks that turn the
// direction of the text, and other invisible characters. The two joiners stay,
// since emoji and some scripts need them.
const UNPRINTABLE_REGEXP =
  /[[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]--[\u200C\u200D]]/gv;

/** Returns text on one line without characters that control a terminal. */
export function printable(text: string): string {
  return text.replace(
    UNPRINTABLE_REGEXP,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}

/**
 * Returns JSON of the same value that a terminal shows as it is: more is
 * escaped.
 */
export function printableJson(value: unknown, indent?: number): string {
  // `JSON.stringify()` escapes only some of these characters. Its own line
  // feeds stay.
  return JSON.stringify(value, null, indent).replace(
    UNPRINTABLE_REGEXP,
    (character) => character === "\n" ? character : escapeUnits(character),
  );
}

function escapeUnits(character: string): string {
  return character.split("").map((unit) =>
    `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`
  ).join("");
}
