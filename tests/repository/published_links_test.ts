/** Links and images of the published pages lead to published files and to headings that exist. */
import { assertEquals, assertGreater } from "@std/assert";
import { publishedFiles } from "../fixtures/package/published_files.ts";

const files = await publishedFiles();

/** Text that JSR renders: whole manuals, and the module docs of TypeScript files. */
async function pages(): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  for (const [path, url] of files) {
    if (!/\.(?:md|ts)$/.test(path)) continue;
    const text = await Deno.readTextFile(new URL(url));
    const docs = text.match(/\/\*\*[\s\S]*?\*\//g)?.join("\n") ?? "";
    texts.set(path, path.endsWith(".md") ? text : docs);
  }
  return texts;
}

/** The anchors that GitHub and JSR give to the headings of a page. */
function anchorsOf(text: string): Set<string> {
  return new Set(
    text.matchAll(/^#+ +(.+)$/gm).map(([, heading]) =>
      heading!.toLowerCase().replace(/[^\p{L}\p{N}\s-]/gu, "")
        .replace(/\s/g, "-")
    ),
  );
}

Deno.test("relative links and images of published pages lead to published files", async () => {
  const texts = await pages();
  const broken: string[] = [];
  let count = 0;
  for (const [page, text] of texts) {
    // Code, fenced or in backticks, holds brackets that are no links.
    const prose = text.replace(/^[ *]*```[\s\S]*?```/gm, "")
      .replace(/`[^`]*`/g, "");
    for (const [, target] of prose.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z][a-z0-9+.-]*:/i.test(target!)) continue;
      count++;
      const [path, anchor] = target!.split("#");
      const file = path === ""
        ? page
        : new URL(path!, `file://${page}`).pathname;
      const isFound = files.has(file) &&
        (anchor === undefined ||
          anchorsOf(texts.get(file) ?? "").has(anchor));
      if (!isFound) broken.push(`${page}: ${target}`);
    }
  }
  assertEquals(broken, []);
  assertGreater(count, 10);
});
