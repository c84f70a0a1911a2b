/**
 * The manual has a section for each rule, and says which file it is in; its recipes are
 * lines of the bots in examples/.
 */
import { assert, assertEquals, assertLess } from "@std/assert";
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

Deno.test("each recipe of the manual has eight lines, which a bot of less than 100 lines runs", async () => {
  const [, part = ""] = /^## Three bots$([^]*?)^## /m.exec(manual) ?? [];
  const recipes = [...part.matchAll(/^```ts ignore\n([^]*?)^```/gm)];

  for (const [i, name] of ["telegram", "discord", "matrix"].entries()) {
    const lines = recipes[i]?.[1]?.trimEnd().split("\n") ?? [];
    assertEquals(lines.length, 8, name);
    const bot = await Deno.readTextFile(
      new URL(`../../examples/${name}_bot.ts`, import.meta.url),
    );
    const inBot = lines.map((line) => `  ${line}\n`).join("");
    assert(bot.includes(inBot), `${name}\n${inBot}`);
    assertLess(bot.trimEnd().split("\n").length, 100, name);
  }
  assertEquals(recipes.length, 3);
});
