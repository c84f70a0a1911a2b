/** The manual of the command line names the commands and their options. */
import { assert, assertEquals } from "@std/assert";
import { COMMANDS } from "../../src/cli/commands.ts";

const manual = await Deno.readTextFile(
  new URL("../../src/cli/README.md", import.meta.url),
);

/** The text below each heading of the third level, by heading. */
const sections = new Map(
  manual.split(/^#{2} .*$/m).flatMap((part) => part.split(/^### /m).slice(1))
    .map((section) => {
      const [, heading = "", text = ""] = section.match(/^(\w+)\n([^]*)/) ?? [];
      return [heading, text];
    }),
);

Deno.test("the manual of the command line has a section for each command", () => {
  const names = COMMANDS.map(({ name }) => name);
  assertEquals([...sections.keys()], names);
});

for (const { name, options, permissions, json } of COMMANDS) {
  const section = sections.get(name) ?? "";

  Deno.test(`the manual names the options and permissions of ${name}`, () => {
    for (const option of Object.keys(options)) {
      const isGeneral = ["dir", "json", "key"].includes(option);
      const text = isGeneral ? manual : section;
      assert(text.includes(`--${option}`), `${name} --${option}`);
    }
    for (const flag of permissions.join(" ").match(/--\S+/g) ?? []) {
      assert(section.includes(flag), `${name} ${flag}`);
    }
    assertEquals(json === undefined, name === "get", "has --json");
  });

  Deno.test(`the manual's examples of ${name} are valid calls`, () => {
    const examples = [...section.matchAll(/^media-cache (\w+)(.*)$/gm)];
    assert(examples.length > 0, "no example");
    for (const [, command, rest = ""] of examples) {
      assertEquals(command, name);
      for (const [, option] of rest.matchAll(/ --([a-z-]+)/g)) {
        assert(Object.hasOwn(options, option!), `${name} --${option}`);
      }
    }
  });
}
