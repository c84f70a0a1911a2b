import { assertEquals, assertThrows } from "@std/assert";
import { ObjectKeys } from "../../src/s3/object_keys.ts";
import { HOSTILE_NAMES } from "../fixtures/inputs/hostile_text.ts";
import { remoteKey } from "../fixtures/remote/entries.ts";

const KEY = remoteKey("cat");
const keys = new ObjectKeys("bots/");

Deno.test("each kind of object has a folder of its own below the prefix", () => {
  assertEquals(keys.entry(KEY), `bots/v1/${KEY.slice(0, 2)}/${KEY}`);
  assertEquals(keys.lease(KEY, 2), `bots/lease/v1/${KEY}.2`);
  assertEquals(keys.probe("1-2"), "bots/probe/v1/1-2");
  assertEquals(
    keys.change({
      timeMs: Date.UTC(2026, 10, 30, 10, 15, 7, 999),
      host: "1a2b3c4d",
      key: KEY,
    }),
    `bots/changes/v1/20261130T101507Z-1a2b3c4d-${KEY}`,
  );
  assertEquals(new ObjectKeys("").entry(KEY), `v1/${KEY.slice(0, 2)}/${KEY}`);
});

Deno.test("the name of a marker tells the change, to the second", () => {
  const change = {
    timeMs: Date.UTC(2026, 1, 28, 23, 59, 59),
    host: "00ff00ff",
    key: KEY,
  };

  assertEquals(keys.namedChange(keys.change(change)), change);
});

Deno.test("markers sort by time, behind the position of an earlier time", () => {
  const names = [0, 999_000, 86_400_000, 9e12].map((timeMs) =>
    keys.change({ timeMs, host: "00000000", key: KEY })
  );

  assertEquals(names.toSorted(), names);
  assertEquals(keys.changesFrom(999_000) < names[1]!, true);
  assertEquals(keys.changesFrom(999_000) > names[0]!, true);
});

Deno.test("other names are no changes", () => {
  const right = `bots/changes/v1/20261130T101507Z-1a2b3c4d-${KEY}`;
  const others = [
    ...["", "bots/changes/v1/", right.slice(5), `${right}0`, `${right}\n`],
    right.replace("v1", "v2"),
    right.replace("1130", "1330"),
    right.replace("T10", "T25"),
    right.toUpperCase(),
    ...HOSTILE_NAMES.map((name) => `bots/changes/v1/${name}`),
  ];

  assertEquals(
    others.map((name) => keys.namedChange(name)),
    others.map(() => undefined),
  );
});

Deno.test("no name is made of a text that is no key", () => {
  for (
    const name of [...HOSTILE_NAMES, `${KEY}/..`, KEY.toUpperCase(), `${KEY}\n`]
  ) {
    assertThrows(() => keys.entry(name), RangeError, "64 hexadecimal digits");
    assertThrows(
      () => keys.lease(name, 0),
      RangeError,
      "64 hexadecimal digits",
    );
  }
});
