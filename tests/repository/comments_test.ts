/** The comment rule, as far as a machine can hold it. */
import { assert, assertEquals } from "@std/assert";
import { walk } from "@std/fs/walk";
import { toFileUrl } from "@std/path";

const root = new URL("../../", import.meta.url);

/** A comment: a block, or lines of `//` that follow each other, or the end of a line of code. */
const COMMENT_REGEXP =
  /\/\*\*?([\s\S]*?)\*\/|^\s*\/\/(.*(?:\n\s*\/\/.*)*)|^[^"'`/\n]*\s\/\/ (.*)/gm;

/** Words that begin a comment whose subject the reader has to guess. */
const NO_SUBJECT_REGEXP = /^(?:One|Those|Who|What|It|They)\b(?!`)/;

/** Docs that send the reader elsewhere, or say nothing. */
const NO_CONTENT_REGEXP = /^(?:See \{@link|The same\b|Opens nothing)/;

/** The texts of all comments, without their marks. */
function commentsOf(code: string): string[] {
  return [...code.matchAll(COMMENT_REGEXP)].map(([, block, lines, end]) =>
    (block ?? lines ?? end ?? "")
      .replace(/^\s*(?:\*|\/\/) ?/gm, "").trim()
  );
}

Deno.test("comments are found in blocks, on lines of their own and behind code", () => {
  const code = `/** What a\n * block says. */
// Line one,
// and two.
const url = "https://example.org"; // no comment is cut here
f(1); // behind
/* plain */`;

  assertEquals(commentsOf(code), [
    "What a\nblock says.",
    "Line one,\nand two.",
    "behind",
    "plain",
  ]);
});

Deno.test("no comment in src begins with a word in place of its subject, or only points elsewhere", async () => {
  const found: string[] = [];
  let count = 0;
  const files = walk(new URL("src", root), {
    includeDirs: false,
    exts: ["ts"],
  });
  for await (const { path } of files) {
    const name = toFileUrl(path).href.slice(root.href.length);
    for (const comment of commentsOf(await Deno.readTextFile(path))) {
      count++;
      const [line = ""] = comment.split("\n");
      if (NO_SUBJECT_REGEXP.test(line) || NO_CONTENT_REGEXP.test(line)) {
        found.push(`${name}: ${line}`);
      }
    }
  }

  assert(count > 1_000, `${count} comments were found`);
  assertEquals(found, []);
});
