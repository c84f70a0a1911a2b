import { assertThrows } from "@std/assert";
import { MediaCache } from "../../mod.ts";
import {
  statsRouter,
  type StatsRouterOptions,
} from "../../src/hono/stats_router.ts";

const WRONG: [unknown, typeof TypeError | typeof RangeError, string][] = [
  [{ token: "" }, RangeError, "token must be"],
  [{ token: "two words" }, RangeError, "token must be"],
  [{ token: "naïve" }, RangeError, "token must be"],
  [{ token: undefined }, TypeError, "token must be a string"],
  [{ token: 7 }, TypeError, "token must be a string: received number"],
  [{ token: "a", access: "trusted" }, TypeError, "received both"],
  [{ access: "public" }, RangeError, 'access must be "trusted"'],
  [
    { acess: "trusted" },
    TypeError,
    'must be one that is known: received "acess"',
  ],
  [null, TypeError, "options must be an object"],
];

for (const [options, type, message] of WRONG) {
  Deno.test(`statsRouter() refuses ${JSON.stringify(options)}`, () => {
    const cache = new MediaCache({ cacheDir: "unused" });

    const error = assertThrows(
      () => statsRouter(cache, options as StatsRouterOptions),
      type,
      message,
    );

    if (
      error.message.includes("two words") || error.message.includes("naïve")
    ) {
      throw new Error("A token must not be told");
    }
  });
}
