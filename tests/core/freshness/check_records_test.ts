import { assertEquals } from "@std/assert";
import { CheckRecords } from "../../../src/core/freshness/check_records.ts";

const NONE = { validatedAt: undefined, failedAt: undefined };

Deno.test("CheckRecords tells the last checks of a key", () => {
  const records = new CheckRecords();
  assertEquals(records.get("a"), NONE);

  records.validated("a", 1);
  records.failed("a", 2);
  assertEquals(records.get("a"), { validatedAt: 1, failedAt: 2 });
  records.validated("a", 3);
  assertEquals(records.get("a"), { validatedAt: 3, failedAt: undefined });
  records.forget("a");
  assertEquals(records.get("a"), NONE);
});

Deno.test("CheckRecords keeps the 10,000 keys that were checked last", () => {
  const records = new CheckRecords();
  for (let i = 0; i < 10_000; i++) records.validated(`${i}`, i);
  records.failed("0", 1);
  records.validated("more", 1);

  assertEquals(records.get("0"), { validatedAt: 0, failedAt: 1 });
  assertEquals(records.get("1"), NONE);
  assertEquals(records.get("2").validatedAt, 2);
});
