/** Commands in the shell blocks of the manuals name tasks and files that exist. */
import { assert, assertEquals, assertGreater } from "@std/assert";
import { walk } from "@std/fs/walk";
import { fromFileUrl, join } from "@std/path";
import { isThere } from "../fixtures/directory/files.ts";
import config from "../../deno.json" with { type: "json" };

const root = fromFileUrl(new URL("../../", import.meta.url));

/** Each line of a shell block, without its comment, by the manual that it is in. */
async function commands(): Promise<[manual: string, command: string][]> {
  const found: [string, string][] = [];
  const skip = [/\.git$/, /\.denow$/, /coverage$/, /node_modules$/];
  for await (const { path } of walk(root, { exts: ["md"], skip })) {
    const text = await Deno.readTextFile(path);
    for (const [, block] of text.matchAll(/^```sh\n([^]*?)^```/gm)) {
      for (const line of block!.trim().split("\n")) {
        const command = line.replace(/ +#.*$/, "");
        found.push([path.slice(root.length), command]);
      }
    }
  }
  return found;
}

Deno.test("commands in the manuals name tasks that deno.json has", async () => {
  let count = 0;
  for (const [manual, command] of await commands()) {
    const [, task] = command.match(/\b(?:denow|deno) task (\S+)/) ?? [];
    if (task === undefined) continue;
    count++;
    assert(task in config.tasks, `${manual}: ${command}`);
  }
  assertGreater(count, 5);
});

Deno.test("commands in the manuals name files that the repository has", async () => {
  const missing: string[] = [];
  let count = 0;
  for (const [manual, command] of await commands()) {
    const paths = command.matchAll(
      /(?<= |^)((?:src|tests|examples|\.ci|\.github)\/\S*)/g,
    );
    for (const [path] of paths) {
      count++;
      if (!await isThere(join(root, path))) missing.push(`${manual}: ${path}`);
    }
  }
  assertEquals(missing, []);
  assertGreater(count, 5);
});
