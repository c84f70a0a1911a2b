/** Types told by the first bytes of real files. */
import { assert, assertEquals } from "@std/assert";
import {
  MAX_SNIFFED_BYTES,
  sniffedType,
} from "../../../src/core/text/sniffed_type.ts";
import { typedFiles } from "../../fixtures/bodies/typed_files.ts";

const files = await typedFiles();

for (const { name, mimetype, bytes } of files) {
  Deno.test(`sniffedType() tells ${mimetype} of ${name}, and nothing else of its first bytes`, () => {
    assertEquals(sniffedType(bytes), mimetype);
    let told: string | undefined;
    for (let length = 0; length <= MAX_SNIFFED_BYTES; length++) {
      const type = sniffedType(bytes.subarray(0, length));
      assert(type === told || told === undefined, `${length} bytes`);
      told = type;
    }
    assertEquals(told, mimetype);
  });
}
