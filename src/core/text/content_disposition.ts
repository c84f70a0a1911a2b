import { safeFilename } from "./filename.ts";

const PERCENT_GARBAGE_REGEXP = /%(?![0-9a-f]{2})/i;

// Characters that the quoted `filename` must not hold: other than printable
// ASCII; `"` and `\`, which readers unescape in different ways; and `%` before
// two digits, since some readers decode `%41` (RFC 6266 Appendix D).
const NOT_PLAIN_REGEXP = /[^ -~]|["\\]|%(?=[0-9A-Fa-f]{2})/gu;

// `encodeURIComponent()` keeps these characters, which attr-char does not allow
// (RFC 8187 §3.2.1).
const NOT_ATTR_CHAR_REGEXP = /['()*]/g;

// A run of encoded words (RFC 2047 §2) with only space between them. The last
// word may be cut.
const ENCODED_WORDS_REGEXP =
  /=\?[^?\s]+\?[a-z]\?[^?]*(?:\?=(?:\s*=\?[^?\s]+\?[a-z]\?[^?]*\?=)*|\??$)/gi;
const ENCODED_WORD_REGEXP = /=\?([^?\s]+)\?([a-z])\?([^?]*)(\?=|\??$)/gi;

/**
 * Reads the file name out of a Content-Disposition header (RFC 6266).
 *
 * `filename*` is preferred over `filename` wherever it stands (§4.3). In
 * `filename`, encoded words (RFC 2047) are decoded, as Chromium and Firefox do
 * although RFC 6266 does not know them. A word that can't be decoded is kept,
 * with `_` for its slashes, which separate no folders. The name may be a path:
 * pass it to `safeFilename()`.
 *
 * @param header The header's value; any string is taken without an error.
 * @returns The name, or `undefined` when there is none.
 */
export function parseFilename(header: string): string | undefined {
  let plain: string | undefined;
  let extended: string | undefined;
  for (const [name, value] of parameters(once(header))) {
    if (name === "filename") {
      plain ??= decodeWords(decodeUtf8Bytes(value)).trim() || undefined;
    }
    if (name === "filename*") {
      extended ??= decodeExtended(value)?.trim() || undefined;
    }
  }

  return extended ?? plain;
}

/**
 * Writes a Content-Disposition header for a name (RFC 6266).
 *
 * The name is made safe first. A name that is not plain ASCII is written twice:
 * with `_` for its other characters, for readers that do not know `filename*`,
 * and in full (Appendix D).
 *
 * @param type Whether a browser may show the body or has to save it.
 * @param filename Any string.
 * @returns A value that every `Headers` takes.
 */
export function formatContentDisposition(
  type: "inline" | "attachment",
  filename: string,
): string {
  const name = safeFilename(filename);
  const plain = name.replace(NOT_PLAIN_REGEXP, "_");
  const quoted = `${type}; filename="${plain}"`;

  return plain === name
    ? quoted
    : `${quoted}; filename*=UTF-8''${encodeExtended(name)}`;
}

// `Headers` joins two headers of one name by a comma, which would become part
// of an unquoted name.
function once(header: string): string {
  const half = (header.length - ", ".length) / 2;
  const first = header.slice(0, half);

  return header === `${first}, ${first}` ? first : header;
}

// Parsed by hand in one pass: a regular expression would either stop at a `;`
// inside quotes or backtrack.
function* parameters(header: string): Generator<[name: string, value: string]> {
  let at = 0;
  let equals = header.indexOf("=");
  let semicolon = indexOrEnd(header, ";", 0);
  while (equals !== -1) {
    if (semicolon < equals) {
      at = semicolon + 1; // a part without a value, such as the leading "attachment"
      semicolon = indexOrEnd(header, ";", at);
      continue;
    }

    const name = header.slice(at, equals).trim().toLowerCase();
    const start = skipSpace(header, equals + 1);
    if (header[start] === '"') {
      const { value, end } = readQuoted(header, start + 1);
      yield [name, value];
      semicolon = indexOrEnd(header, ";", end);
    } else {
      yield [name, header.slice(start, semicolon).trim()];
    }

    at = semicolon + 1;
    equals = header.indexOf("=", at);
    semicolon = indexOrEnd(header, ";", at);
  }
}

// quoted-string, RFC 9110 §5.6.4. A missing closing quote is forgiven.
function readQuoted(
  header: string,
  start: number,
): { value: string; end: number } {
  let value = "";
  let at = start;
  while (at < header.length && header[at] !== '"') {
    if (header[at] === "\\") at++;
    value += header[at] ?? "";
    at++;
  }

  return { value, end: at };
}

function skipSpace(header: string, start: number): number {
  let at = start;
  while (header[at] === " " || header[at] === "\t") at++;

  return at;
}

function indexOrEnd(header: string, character: string, start: number): number {
  const index = header.indexOf(character, start);

  return index === -1 ? header.length : index;
}

// ext-value, RFC 8187 §3.2: charset'language'percent-encoded. Undefined for any
// other form.
function decodeExtended(value: string): string | undefined {
  const [charset, , ...rest] = value.split("'");
  if (charset === undefined || rest.length === 0) return undefined;

  const encoded = rest.join("'"); // some senders do not encode quotes
  if (PERCENT_GARBAGE_REGEXP.test(encoded)) return undefined;

  switch (charset.trim().toLowerCase()) {
    case "utf-8":
      try {
        return decodeURIComponent(decodeUtf8Bytes(encoded));
      } catch {
        return undefined;
      }
    case "iso-8859-1":
      return encoded.replace(
        /%(..)/g,
        (_, hex: string) => String.fromCharCode(parseInt(hex, 16)),
      );
    default:
      return undefined;
  }
}

// Adjacent words of one charset are decoded together: senders cut within a
// character.
function decodeWords(text: string): string {
  return text.replace(ENCODED_WORDS_REGEXP, (run) => {
    const parts: { charset: string; bytes: string }[] = [];
    for (
      const [, label = "", encoding = "", encoded = "", end] of run
        .matchAll(ENCODED_WORD_REGEXP)
    ) {
      const charset = label.replace(/\*.*/, "").toLowerCase(); // RFC 2231 §5: *language
      const bytes = end === "?="
        ? decodeWord(encoding.toLowerCase(), encoded)
        : undefined;
      if (bytes === undefined) return run.replace(/[/\\]/g, "_");
      const last = parts.at(-1);
      if (last?.charset === charset) last.bytes += bytes;
      else parts.push({ charset, bytes });
    }
    try {
      return parts.map(({ charset, bytes }) =>
        new TextDecoder(charset, { fatal: true }).decode(
          Uint8Array.from(bytes, (byte) => byte.charCodeAt(0)),
        )
      ).join("");
    } catch {
      return run.replace(/[/\\]/g, "_"); // unknown charset, or invalid bytes
    }
  });
}

function decodeWord(encoding: string, encoded: string): string | undefined {
  switch (encoding) {
    case "b":
      return decodeBase64(encoded);
    case "q":
      return decodeQ(encoded);
    default:
      return undefined;
  }
}

function decodeBase64(encoded: string): string | undefined {
  try {
    return atob(encoded);
  } catch {
    return undefined;
  }
}

// The Q encoding, RFC 2047 §4.2. Returns one character for each byte.
function decodeQ(encoded: string): string | undefined {
  if (/=(?![0-9a-f]{2})|[^ -~]/i.test(encoded)) return undefined;

  return encoded.replaceAll("_", " ").replace(
    /=(..)/g,
    (_, hex: string) => String.fromCharCode(parseInt(hex, 16)),
  );
}

function encodeExtended(name: string): string {
  return encodeURIComponent(name).replace(
    NOT_ATTR_CHAR_REGEXP,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

// `Headers` shows each byte as one character, so raw UTF-8 of a server arrives
// as "Ã¤". Latin-1 text is hardly ever valid UTF-8 by chance.
function decodeUtf8Bytes(text: string): string {
  if (/^\p{ASCII}*$/u.test(text) || /[\u0100-\uffff]/.test(text)) return text;

  const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return text;
  }
}
