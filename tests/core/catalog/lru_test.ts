import { assertEquals } from "@std/assert";
import { Lru } from "../../../src/core/catalog/lru.ts";
import { Random } from "../../fixtures/inputs/random.ts";

function filled(...keys: string[]): Lru<string> {
  const lru = new Lru<string>();
  for (const key of keys) lru.set(key, key, 1);
  return lru;
}

/** The least recent value. */
function oldest<T>(lru: Lru<T>): T | undefined {
  return lru.oldestFirst().next().value;
}

function order(lru: Lru<string>): string {
  return lru.list().join("");
}

Deno.test("list() gives the most recent first, oldestFirst() the least recent", () => {
  const lru = filled("a", "b", "c");

  assertEquals(order(lru), "cba");
  assertEquals([...lru.oldestFirst()], ["a", "b", "c"]);
  assertEquals([...filled().oldestFirst()], []);
});

Deno.test("use() makes a value the most recent, from any place", () => {
  for (
    const [key, wanted] of [["a", "acb"], ["b", "bca"], ["c", "cba"]] as const
  ) {
    const lru = filled("a", "b", "c");

    assertEquals(lru.use(key), key);
    assertEquals(order(lru), wanted);
  }
});

Deno.test("use() of an unknown key changes nothing", () => {
  const lru = filled("a", "b");

  assertEquals(lru.use("x"), undefined);
  assertEquals(order(lru), "ba");
});

Deno.test("peek() does not change the recency", () => {
  const lru = filled("a", "b");

  assertEquals(lru.peek("a"), "a");
  assertEquals(lru.peek("x"), undefined);
  assertEquals(order(lru), "ba");
});

Deno.test("set() replaces a value and its size, and makes it the most recent", () => {
  const lru = new Lru<string>();
  lru.set("a", "old", 10);
  lru.set("b", "b", 1);

  lru.set("a", "new", 3);

  assertEquals(lru.list(), ["new", "b"]);
  assertEquals([lru.count, lru.bytes], [2, 4]);
});

Deno.test("delete() removes the first, a middle, the last and the only value", () => {
  const lru = filled("a", "b", "c", "d");

  assertEquals(lru.delete("d"), "d");
  assertEquals(order(lru), "cba");
  assertEquals(lru.delete("b"), "b");
  assertEquals(order(lru), "ca");
  assertEquals(lru.delete("a"), "a");
  assertEquals([order(lru), oldest(lru)], ["c", "c"]);
  assertEquals(lru.delete("c"), "c");
  assertEquals([order(lru), oldest(lru), lru.bytes], ["", undefined, 0]);
  assertEquals(lru.delete("c"), undefined);
});

Deno.test("victims() lists the oldest until both caps hold, and removes nothing", () => {
  const lru = new Lru<string>();
  for (const [key, size] of [["a", 5], ["b", 1], ["c", 3]] as const) {
    lru.set(key, key, size);
  }

  assertEquals(lru.victims(9), []);
  assertEquals(lru.victims(8), ["a"]);
  assertEquals(lru.victims(3), ["a", "b"]);
  assertEquals(lru.victims(0), ["a", "b", "c"]);
  assertEquals(lru.victims(Infinity, 1), ["a", "b"]);
  assertEquals(lru.victims(4, 2), ["a"]);
  assertEquals([lru.count, lru.bytes], [3, 9]);
});

Deno.test("clear() removes every value, and the list can be used again", () => {
  const lru = filled("a", "b");

  lru.clear();
  assertEquals([lru.count, lru.bytes, order(lru)], [0, 0, ""]);
  lru.set("c", "c", 2);
  assertEquals([order(lru), oldest(lru), lru.bytes], ["c", "c", 2]);
});

Deno.test("sink() makes a value the least recent", () => {
  const lru = filled("a", "b", "c");

  for (const key of ["b", "b", "c", "x", "a"]) lru.sink(key);

  assertEquals([order(lru), oldest(lru)], ["bca", "a"]);
  lru.use("a");
  assertEquals([order(lru), oldest(lru)], ["abc", "c"]);
});

Deno.test("reposition() places a value above the first that is older", () => {
  for (
    const [older, wanted] of [
      ["", "cbad"],
      ["a", "cbda"],
      ["ab", "cdba"],
      ["abc", "dcba"],
    ] as const
  ) {
    const lru = filled("a", "b", "c", "d");

    lru.reposition("d", (other) => older.includes(other));

    assertEquals(order(lru), wanted);
    assertEquals(oldest(lru), wanted.at(-1));
    lru.set("e", "e", 1);
    assertEquals(order(lru), `e${wanted}`);
  }
});

Deno.test("reposition() of the only value or of an unknown key keeps the list whole", () => {
  const lru = filled("a");

  lru.reposition("x", () => true);
  lru.reposition("a", () => false);

  assertEquals([order(lru), oldest(lru)], ["a", "a"]);
});

Deno.test("a thousand random operations give the same result as a plain array", () => {
  const random = new Random();
  const lru = new Lru<string>();
  let model: { key: string; size: number }[] = [];
  const take = (key: string) => {
    const found = model.find((item) => item.key === key);
    model = model.filter((item) => item !== found);
    return found;
  };

  for (let step = 0; step < 1_000; step++) {
    const key = String.fromCharCode(97 + random.integer(0, 11));
    const size = random.integer(0, 9);
    const kind = random.integer(0, 3);
    if (kind === 0) {
      lru.set(key, key, size);
      take(key);
      model.push({ key, size });
    } else if (kind === 1) {
      lru.use(key);
      const found = take(key);
      if (found) model.push(found);
    } else if (kind === 2) {
      lru.delete(key);
      take(key);
    } else {
      lru.reposition(key, (other) => other < key);
      const found = take(key);
      if (found) {
        const below = model.findLastIndex((other) => other.key < key);
        model.splice(below + 1, 0, found);
      }
    }

    const wanted = model.map((item) => item.key).reverse().join("");
    assertEquals(order(lru), wanted, random.hint);
    assertEquals(oldest(lru), wanted.at(-1), random.hint);
    const bytes = model.reduce((sum, item) => sum + item.size, 0);
    assertEquals([lru.count, lru.bytes], [model.length, bytes], random.hint);
  }
});

Deno.test("append() adds a value as the oldest, unless its key is known", () => {
  const lru = new Lru<string>();

  lru.append("a", "a", 1);
  lru.append("b", "b", 2);
  lru.set("c", "c", 4);
  lru.append("a", "x", 8);

  assertEquals(lru.list(), ["c", "a", "b"]);
  assertEquals([oldest(lru), lru.count, lru.bytes], ["b", 3, 7]);
});

Deno.test("repositionAll() moves each value to its place in one pass", () => {
  const lru = new Lru<number>();
  for (const n of [10, 20, 30, 40]) lru.set(`${n}`, n, 1);
  for (const n of [5, 25, 45]) lru.set(`${n}`, n, 1);

  lru.repositionAll(["45", "25", "gone", "5"], (other, than) => other < than);

  assertEquals(lru.list(), [45, 40, 30, 25, 20, 10, 5]);
  assertEquals(oldest(lru), 5);
});
