import { assert } from "@std/assert";
import { fromFileUrl } from "@std/path";

const PROGRAM = fromFileUrl(import.meta.resolve("../soak/main.ts"));

Deno.test("nothing is wrong, lost or left after many callers and much trouble", async () => {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", PROGRAM, "--seconds", "30"],
    stdin: "null",
    env: { NO_COLOR: "1" },
  }).output();

  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assert(success, text(stdout) + text(stderr));
});
