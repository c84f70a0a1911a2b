import { Failure, UsageError } from "./failures.ts";
import { readFile } from "./user_files.ts";

/** An input of the tool, such as `Deno.stdin`. */
export interface CliInput {
  /** The bytes of the input. */
  readonly readable: ReadableStream<Uint8Array>;
}

/** A URL from a list or from the command line. */
export interface ListedUrl {
  /** The URL, as given. */
  readonly url: string;
  /** Name of the first list that holds it, where there are several operands. */
  readonly list?: string;
  /** Line in that list, counted from 1. */
  readonly line?: number;
  /** Number of the operand, counted from 1, where the URL stands in no list. */
  readonly operand?: number;
}

/** The operand that means the standard input. */
export const STDIN = "-";

// The byte order marks of the WHATWG Encoding standard.
const BYTE_ORDER_MARKS = [
  { encoding: "utf-8", mark: [0xef, 0xbb, 0xbf] },
  { encoding: "utf-16le", mark: [0xff, 0xfe] },
  { encoding: "utf-16be", mark: [0xfe, 0xff] },
];

/** Line ends of Unicode (UAX #14), except vertical tab and form feed. */
const LINE_END_REGEXP = /\r\n|[\n\r\u0085\u2028\u2029]/;

const COMMENT_REGEXP = /(?<!\S)#/;

/** A scheme of two letters or more and `://`. `C:` is a drive of Windows. */
const URL_REGEXP = /^\s*[a-z][a-z0-9+.-]+:\/\//i;

/**
 * Returns the URLs that operands name, each once. An operand is a URL; several
 * URLs with white space between them, as a quoted variable of a shell gives
 * them; a file that holds a list of URLs; or `-` for a list on the standard
 * input.
 *
 * @throws {UsageError} If an operand is empty, or `-` comes twice.
 * @throws {Failure} If a list can't be read or is not text.
 */
export async function readUrls(
  operands: readonly string[],
  stdin: CliInput,
): Promise<ListedUrl[]> {
  if (operands.includes("")) {
    throw new UsageError("the list of URLs needs a name");
  }
  if (operands.indexOf(STDIN) !== operands.lastIndexOf(STDIN)) {
    throw new UsageError(`${STDIN} may be named once`);
  }
  const urls = new Map<string, ListedUrl>();
  for (const [i, operand] of operands.entries()) {
    const listed = URL_REGEXP.test(operand)
      ? parseUrls(operand).map(({ url }) => ({ url, operand: i + 1 }))
      : await readList(operand, stdin, operands.length > 1);
    for (const each of listed) {
      if (!urls.has(each.url)) urls.set(each.url, each);
    }
  }
  return [...urls.values()];
}

/**
 * Returns the URLs of a list, with their lines. URLs are separated by white
 * space, also within a line, since no URL holds any. `#` at the start of a
 * line, or after white space, begins a comment; elsewhere it begins the
 * fragment of a URL.
 */
export function parseUrls(text: string): Required<
  Pick<ListedUrl, "url" | "line">
>[] {
  return text.split(LINE_END_REGEXP).flatMap((line, i) => {
    const [listed = ""] = line.split(COMMENT_REGEXP, 1);
    return listed.split(/\s+/).filter((url) => url !== "")
      .map((url) => ({ url, line: i + 1 }));
  });
}

async function readList(
  list: string,
  stdin: CliInput,
  isNamed: boolean,
): Promise<ListedUrl[]> {
  const bytes = list === STDIN
    ? await new Response(stdin.readable).bytes()
    : await readFile(list);
  const text = decode(bytes);
  if (text === undefined) {
    throw new Failure(
      `can't read ${list}: it must be text in UTF-8, or in UTF-16 with a byte order mark`,
    );
  }
  return parseUrls(text).map((url) => isNamed ? { ...url, list } : url);
}

/**
 * Decodes text by its byte order mark, which is removed; undefined for other
 * bytes.
 */
function decode(bytes: Uint8Array): string | undefined {
  const { encoding } =
    BYTE_ORDER_MARKS.find(({ mark }) =>
      mark.every((byte, i) => byte === bytes[i])
    ) ?? { encoding: "utf-8" };
  try {
    const text = new TextDecoder(encoding, { fatal: true }).decode(bytes);
    // Without a mark, UTF-16 and UTF-32 look like UTF-8 with NULs.
    return text.includes("\0") ? undefined : text;
  } catch {
    return undefined;
  }
}
