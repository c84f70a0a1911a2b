/**
 * Links and images lead to files and headings that exist: those of published
 * pages to published files, those of the other manuals to files of the
 * repository.
 */
import { assertEquals, assertGreater } from "@std/assert";
import { walk } from "@std/fs/walk";
import { fromFileUrl } from "@std/path";
import { publishedFiles } from "../fixtures/package/published_files.ts";

const root = fromFileUrl(new URL("../../", import.meta.url));

/** Folders without pages of this package. */
const SKIPPED = [/\.git$/, /\.denow$/, /coverage$/, /node_modules$/];

/**
 * Text that JSR renders: whole manuals, and the module docs of TypeScript
 * files.
 */
async function publishedPages(
  files: ReadonlyMap<string, string>,
): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  for (const [path, url] of files) {
    if (!/\.(?:md|ts)$/.test(path)) continue;
    const text = await Deno.readTextFile(new URL(url));
    const docs = text.match(/\/\*\*[\s\S]*?\*\//g)?.join("\n") ?? "";
    texts.set(path, path.endsWith(".md") ? text : docs);
  }
  return texts;
}

/**
 * All files of the repository, with a slash in front, and the texts of its
 * manuals.
 */
async function repository(): Promise<
  { files: Set<string>; manuals: Map<string, string> }
> {
  const files = new Set<string>();
  const manuals = new Map<string, string>();
  const options = { includeDirs: false, skip: SKIPPED };
  for await (const { path } of walk(root, options)) {
    const file = `/${path.slice(root.length).replaceAll("\\", "/")}`;
    files.add(file);
    if (file.endsWith(".md")) manuals.set(file, await Deno.readTextFile(path));
  }
  return { files, manuals };
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

/** The relative links of the pages, and those of them that lead nowhere. */
function follow(
  texts: ReadonlyMap<string, string>,
  files: { has(file: string): boolean },
): { count: number; broken: string[] } {
  const broken: string[] = [];
  let count = 0;
  for (const [page, text] of texts) {
    // Code, fenced or in backticks, holds brackets that are not links.
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
  return { count, broken };
}

Deno.test("relative links and images of published pages lead to published files", async () => {
  const files = await publishedFiles();

  const { count, broken } = follow(await publishedPages(files), files);

  assertEquals(broken, []);
  assertGreater(count, 10);
});

Deno.test("relative links and images of all manuals lead to files of the repository", async () => {
  const { files, manuals } = await repository();

  const { count, broken } = follow(manuals, files);

  assertEquals(broken, []);
  assertGreater(count, 10);
});
