// What a terminal obeys or hides: controls (C1 included, where some terminals
// find escape sequences), line separators, marks that turn the direction of the
// text, other invisible ones. The two joiners stay, which emoji and scripts need.
const UNPRINTABLE_REGEXP =
  /[[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]--[\u200C\u200D]]/gv;

/** Text that no sidecar can make a terminal do things with, on one line. */
export function printable(text: string): string {
  return text.replace(
    UNPRINTABLE_REGEXP,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}

/** JSON that a terminal shows as it is: the same value, more of it escaped. */
export function printableJson(value: unknown, indent?: number): string {
  // JSON.stringify escapes what JSON demands, which is not all of the above;
  // its own line feeds are the only ones.
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
