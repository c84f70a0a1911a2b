/** A parameter of a query, decoded as servers decode it. */
export interface Parameter {
  /** The decoded name: `ex` for `%65x=1`. */
  readonly name: string;
  /** The decoded value; empty without an equals sign. */
  readonly value: string;
}

/** Tells which parameters a canonical URL does without. */
export type IsGone = (parameter: Parameter) => boolean;

/** The decoded parameters of a query, in their order. */
export function parametersOf(search: string): Parameter[] {
  return piecesOf(search).map(parse);
}

/**
 * Removes parameters from a query. Order and escapes of the others stay, since
 * `URLSearchParams` would write `%20` as `+` and `a` as `a=`. Empty pieces, as after a
 * trailing `&`, hold no parameter and go.
 *
 * @param search The query with its question mark, or an empty string.
 * @param isGone Tells the parameters that go.
 * @returns The query with its question mark; an empty string when nothing is left.
 */
export function withoutParameters(search: string, isGone: IsGone): string {
  const kept = piecesOf(search).filter((piece) => !isGone(parse(piece)));
  return kept.length === 0 ? "" : `?${kept.join("&")}`;
}

function piecesOf(search: string): string[] {
  return search.replace(/^\?/, "").split("&").filter((piece) => piece !== "");
}

function parse(piece: string): Parameter {
  const at = piece.indexOf("=");
  return at < 0 ? { name: decode(piece), value: "" } : {
    name: decode(piece.slice(0, at)),
    value: decode(piece.slice(at + 1)),
  };
}

function decode(text: string): string {
  return decodeEscapes(text.replaceAll("+", " "));
}

/**
 * Decodes the percent escapes of ASCII; others stay. All that rules look for is ASCII,
 * and `decodeURIComponent` throws for escapes that are not UTF-8: a URL of strangers with
 * many of them would hold the event loop for seconds.
 */
export function decodeEscapes(text: string): string {
  return text.replace(
    /%([0-7][\da-f])/gi,
    (_, hex) => String.fromCharCode(parseInt(hex, 16)),
  );
}
