/** The manual has a section for each rule, and says which file it is in. */
import { assert, assertEquals } from "@std/assert";
import * as module from "../../src/platforms/platforms.ts";

const manual = await Deno.readTextFile(
  new URL("../../src/platforms/README.md", import.meta.url),
);

Deno.test("the manual of the platforms has a section for each rule, which uses it", () => {
  const { platforms: _, ...others } = module;
  const { withRefresh: _1, discordRefresh: _2, telegramFile: _3, ...rules } =
    others;
  const [, part = ""] = /^## The rules$([^]*?)^## /m.exec(manual) ?? [];
  const sections = part.split(/^### /m).slice(1);

  for (const name of Object.keys(rules)) {
    const own = sections.filter((section) =>
      section.includes(`\`${name}\` (`) || section.includes(`\`${name}(`)
    );
    assertEquals(own.length, 1, name);
    assert(own[0]?.includes(`platforms(${name}`), name);
  }
  assertEquals(sections.length, Object.keys(rules).length);
});
