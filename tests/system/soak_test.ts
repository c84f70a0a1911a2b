import { assert, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";

const PROGRAM = fromFileUrl(import.meta.resolve("../soak/main.ts"));

/** Runs a soak with these arguments. */
async function soak(...args: string[]) {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", PROGRAM, ...args],
    stdin: "null",
    env: { NO_COLOR: "1" },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { success, said: text(stdout) + text(stderr) };
}

Deno.test("many callers and many faults leave no result wrong, lost or left over", async () => {
  const { success, said } = await soak("--seconds", "30");

  assert(success, said);
});

Deno.test("a soak without enough events does not pass", async () => {
  const { success, said } = await soak("--seconds", "1", "--callers", "1");

  assert(!success);
  assertStringIncludes(said, "there were none: evictions");
});
