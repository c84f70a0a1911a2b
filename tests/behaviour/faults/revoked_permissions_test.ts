/**
 * Permissions that are revoked while the cache is open. A revoked permission
 * stays revoked, so each case has a process of its own.
 */
import { assertEquals } from "@std/assert";
import { runProgram } from "../../fixtures/processes/program.ts";

/** The calls of a bot, each with its result and the disk errors that it counts. */
const CALLS = `
  const small = new Uint8Array(3).fill(1);
  const large = new Uint8Array(600_000).fill(2);
  const cache = await MediaCache.open({ cacheDir, maxMemoryItemMb: 0.2, onEvent() {} });
  await cache.put("small", small, "image/png", "a.png");
  await cache.put("large", large, "image/png", "b.png");
  const held = await cache.get("large");
  // Bytes in RAM are looked at anew after 20 ms.
  const storedAt = Date.now();
  while (Date.now() < storedAt + 30) await new Promise((resolve) => setTimeout(resolve));

  for (const name of revoked) await Deno.permissions.revoke({ name });

  async function call(name, run) {
    const before = cache.stats().diskErrors;
    let value;
    try {
      value = await run() ?? null;
    } catch (error) {
      value = [error.name, error.message.includes("--allow-read=")];
    }
    const isCounted = cache.stats().diskErrors > before;
    console.log(JSON.stringify([name, value, isCounted]));
  }
  async function read(media) {
    return (await (await media)?.bytes())?.length;
  }
  async function download(url) {
    const media = await cache.getOrDownload(url, async () => ({ data: large }));
    return [media.source, await read(media), await media.stored];
  }

  await call("held", () => read(held));
  await call("get in RAM", () => read(cache.get("small")));
  await call("get on disk", () => read(cache.get("large")));
  await call("get unknown", () => cache.get("none"));
  await call("has", () => cache.has("small"));
  await call("put", () => cache.put("new", small, "", ""));
  await call("put known", () => cache.put("small", small, "", ""));
  await call("put replace", () => cache.put("small", small, "", "", { replace: true }));
  await call("put stream", () => cache.put("stream", new Blob([large]).stream(), "", ""));
  await call("put large", () => cache.put("new", large, "", ""));
  await call("download", () => download("new"));
  await call("download known", () => download("large"));
  await call("delete", () => cache.delete("large"));
  await call("clear", () => cache.clear());
  await call("entries", async () => (await Array.fromAsync(cache.entries())).length);
  await call("getByKey", () => cache.getByKey("0".repeat(64)));
  await call("peek", () => cache.getByKey("0".repeat(64), { peek: true }));
  await call("infoByKey", () => cache.infoByKey("0".repeat(64)));
  await call("probe", () => cache.probe());
  await call("verify", async () => (await cache.verify({ fix: true })).entries);
  await call("staged", () => cache.stats().stagedBytes);
  await call("close", () => cache.close());
`;

/** The value of a call, or its error, and whether a disk error was counted. */
type Outcome = [value: unknown, isCounted: boolean];

const WITHOUT_READ: Record<string, Outcome> = {
  "held": [600_000, false],
  "get in RAM": [3, true],
  "get on disk": [null, true],
  "get unknown": [null, true],
  "has": [false, true],
  "put": [false, true],
  "put known": [false, true],
  "put replace": [false, true],
  "put stream": [false, true],
  "put large": [false, true],
  "download": [["download", 600_000, false], true],
  "download known": [["download", 600_000, false], true],
  "delete": [false, true],
  "clear": [null, true],
  "entries": [2, false],
  "getByKey": [null, true],
  "peek": [null, false],
  "infoByKey": [null, false],
  "probe": ["the directory can't be used: NotCapable", false],
  "verify": [["MediaCacheError", true], false],
  "staged": [0, false],
};

const WITHOUT_WRITE: Record<string, Outcome> = {
  "held": [600_000, false],
  "get in RAM": [3, false],
  "get on disk": [600_000, false],
  "get unknown": [null, false],
  "has": [true, false],
  "put": [false, true],
  "put known": [true, false],
  "put replace": [false, true],
  "put stream": [false, true],
  "put large": [false, true],
  "download": [["download", 600_000, false], true],
  "download known": [["disk", 600_000, true], false],
  "delete": [false, true],
  "clear": [null, true],
  "entries": [2, false],
  "getByKey": [null, false],
  "peek": [null, false],
  "infoByKey": [null, false],
  "probe": ["the directory can't be used: NotCapable", false],
  "verify": [2, false],
  "staged": [0, false],
};

const CASES: [revoked: string[], wanted: Record<string, Outcome>][] = [
  [["read"], WITHOUT_READ],
  [["write"], WITHOUT_WRITE],
  [["read", "write"], WITHOUT_READ],
];

for (const [revoked, wanted] of CASES) {
  Deno.test(`a cache whose permission to ${revoked.join(" and ")} is revoked while it is open breaks no call`, async () => {
    const lines = await runProgram(
      `const revoked = ${JSON.stringify(revoked)};${CALLS}`,
      { flags: ["--allow-read", "--allow-write", "--no-prompt"] },
    ) as [name: string, ...Outcome][];

    const found = Object.fromEntries(
      lines.map(([name, ...outcome]) => [name, outcome]),
    );
    // Whether there was something to be written is not the point.
    const { close, ...calls } = found;
    assertEquals(close?.[0], null);
    assertEquals(calls, wanted);
  });
}
