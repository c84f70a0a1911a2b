/** ffmpeg can print without end, and its last words say why it failed. */
const MAX_TAIL_BYTES = 4096;

/** Room for two lines of ffmpeg in a log. */
const MAX_PRINTED_LETTERS = 300;

/**
 * Reads a stream to its end and keeps only the last bytes.
 *
 * @param reader The stream; a cancelled stream has ended.
 * @returns The last 4 KiB as text, from the start of a word.
 */
export async function readTail(
  reader: ReadableStreamDefaultReader<Uint8Array>,
): Promise<string> {
  const tail = new Uint8Array(MAX_TAIL_BYTES);
  let length = 0;
  let isCut = false;
  while (true) {
    const { done, value } = await reader.read();
    if (done) break;
    const news = value.subarray(-MAX_TAIL_BYTES);
    const kept = Math.min(length, MAX_TAIL_BYTES - news.length);
    isCut ||= news.length < value.length || kept < length;
    tail.copyWithin(0, length - kept, length);
    tail.set(news, kept);
    length = kept + news.length;
  }
  const text = new TextDecoder().decode(tail.subarray(0, length));
  return isCut ? text.replace(/^\S*\s*/, "") : text; // without the word that is cut
}

/**
 * Finds a number in what `-progress` printed.
 *
 * @param progress Lines of `key=value`, in which a later line overrules an earlier one.
 * @param key The key.
 * @returns Its last value; NaN if there is none.
 */
export function lastNumber(progress: string, key: string): number {
  const line = progress.split("\n").findLast((line) =>
    line.startsWith(`${key}=`)
  );
  return line ? Number(line.slice(key.length + 1)) : NaN;
}

const URL_REGEXP = /[a-z][a-z\d+.-]*:\/\/\S*/gi;

// A path in quotes may hold spaces.
const QUOTED_PATH_REGEXP = /(?<=(['"`]))(?:(?!\1)[^/\\\n])*[/\\].*?(?=\1)/g;

// A word with a slash, without the marks around it.
const PATH_REGEXP = /[^\s'"`()[\]<>{}|,;=/\\]*[/\\][^\s'"`()[\]<>{}|,;=]*/g;

/** Words with a slash that are not a path: `Input/output`, `24/1`. */
const RATIO_REGEXP = /^(?:[a-z]+\/[a-z]+|\d+\/\d+):?$/i;

/**
 * Makes a message fit for a log: paths tell about the machine, and a URL can carry a token.
 *
 * @param message The output of ffmpeg.
 * @param paths The paths that ffmpeg was given, which may hold spaces.
 * @returns The last words of the message without paths and URLs: a line of at most 300 printable
 * letters.
 */
export function lastWords(message: string, paths: string[]): string {
  const text = paths
    .reduce((text, path) => text.replaceAll(path, "…"), message)
    .replace(URL_REGEXP, "…")
    .replace(QUOTED_PATH_REGEXP, "…")
    .replace(PATH_REGEXP, (word) => RATIO_REGEXP.test(word) ? word : "…")
    .replace(/ @ 0x[\da-f]+/gi, "") // where a part of ffmpeg lies in memory
    .replace(/[\s\p{C}\p{Zl}\p{Zp}]+/gu, " ")
    .trim();
  const letters = Array.from(text);
  if (letters.length <= MAX_PRINTED_LETTERS) return text;
  const end = letters.slice(1 - MAX_PRINTED_LETTERS).join("");
  return `…${end.replace(/^\S*\s+/, "")}`; // without the word that is cut
}
