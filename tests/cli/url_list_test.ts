import { assertEquals, assertRejects } from "@std/assert";
import { parseUrls, readUrls } from "../../src/cli/call/url_list.ts";
import { tempDir } from "../fixtures/temp_dir.ts";

Deno.test("parseUrls() takes a URL a line, each once, with its first line", () => {
  const text =
    "\uFEFFhttps://a/#x\r\n\n  # no\n\thttps://b \nhttps://a/#x\n#https://c";
  assertEquals(parseUrls(text), [
    { url: "https://a/#x", line: 1 },
    { url: "https://b", line: 4 },
  ]);
});

Deno.test("readUrls() reads a file, or what comes in", async () => {
  await using temp = await tempDir();
  const path = `${temp.path}/urls.txt`;
  await Deno.writeTextFile(path, "https://file");
  const stdin = () => ({ readable: new Blob(["https://stdin"]).stream() });

  assertEquals(await readUrls(path, stdin()), [{
    url: "https://file",
    line: 1,
  }]);
  assertEquals(await readUrls("-", stdin()), [{
    url: "https://stdin",
    line: 1,
  }]);
  await assertRejects(() => readUrls("", stdin()), Error, "needs a name");
  await assertRejects(
    () => readUrls(`${temp.path}/nothing`, stdin()),
    Error,
    "can't read",
  );
});
