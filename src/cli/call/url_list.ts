import { UsageError } from "./failures.ts";
import { readList } from "./user_files.ts";

/** Where the tool reads; `Deno.stdin` is such. */
export interface CliInput {
  /** What comes in. */
  readonly readable: ReadableStream<Uint8Array>;
}

/** A URL of a list. */
export interface ListedUrl {
  /** The URL, as given. */
  readonly url: string;
  /** Where it stands first, counted from 1. */
  readonly line: number;
}

/** Reads a list of URLs from a file or, if it is `-`, from `stdin`. */
export async function readUrls(
  path: string,
  stdin: CliInput,
): Promise<ListedUrl[]> {
  if (path === "") throw new UsageError("the list of URLs needs a name");
  const text = path === "-"
    ? await new Response(stdin.readable).text()
    : await readList(path);
  return parseUrls(text);
}

/** One URL a line, each once; blank lines and those that begin with # are not. */
export function parseUrls(text: string): ListedUrl[] {
  const urls = new Map<string, ListedUrl>();
  for (const [i, line] of text.replace(/^\uFEFF/, "").split("\n").entries()) {
    const url = line.trim();
    if (url === "" || url.startsWith("#") || urls.has(url)) continue;
    urls.set(url, { url, line: i + 1 });
  }
  return [...urls.values()];
}
