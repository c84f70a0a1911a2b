import { assertEquals, assertRejects } from "@std/assert";
import { HttpStatusError, UnacceptableTypeError } from "../../../mod.ts";
import { Counters } from "../../../src/core/api/stats.ts";
import { Callers } from "../../../src/core/download/callers.ts";
import type { CallerLink } from "../../../src/core/download/caller_links.ts";
import { DownloadSlots } from "../../../src/core/download/download_slots.ts";

const never = () => {
  throw new Error("nobody has left");
};

function linkOf(url: string): CallerLink {
  return { url, downloader: never };
}

/** Callers of a task, and what they count. */
function callersOf<T>(): { callers: Callers<T>; counters: Counters } {
  const counters = new Counters();
  const slots = new DownloadSlots(1);
  const slot = slots.add(() => true);
  const parts = { slots, counters, failures: undefined };
  const callers = new Callers<T>(parts, { slot, link: linkOf("first") });
  return { callers, counters };
}

Deno.test("Callers gives each caller a result of its own", async () => {
  const { callers } = callersOf<number>();
  const waits = [1, 2, 3].map(() => callers.wait({}, undefined, never));
  assertEquals(callers.count, 3);

  let made = 0;
  callers.resolve(() => ++made);

  assertEquals(await Promise.all(waits), [1, 2, 3]);
  assertEquals(callers.count, 0);
});

Deno.test("Callers makes nothing for callers that have stopped waiting", async () => {
  const { callers } = callersOf<number>();
  const controller = new AbortController();
  const { signal } = controller;
  let left = 0;
  const leaving = callers.wait({ signal }, undefined, () => left++);
  const staying = callers.wait({}, undefined, never);

  controller.abort(new Error("enough"));
  await assertRejects(() => leaving, Error, "enough");
  assertEquals([left, callers.count], [1, 1]);
  let made = 0;
  callers.resolve(() => ++made);

  assertEquals([await staying, made], [1, 1]);
});

Deno.test("Callers tells every caller of a failure, and each of that of its own link", async () => {
  const { callers } = callersOf<number>();
  const links = ["first", "second", "third"].map(linkOf);
  for (const link of links) callers.join({}, link);
  const waits = [...links, undefined]
    .map((link) => callers.wait({}, link, never));
  const refused = new HttpStatusError(403);

  assertEquals(callers.nextLink(linkOf("first"), refused), links[1]);
  const broken = new Error("broken");
  callers.reject(broken);

  const results = await Promise.allSettled(waits);
  assertEquals(
    results.map((each) => "reason" in each && each.reason),
    [refused, broken, broken, broken],
  );
  assertEquals(callers.count, 0);
});

Deno.test("Callers lets no caller in if its signal is aborted", async () => {
  const { callers } = callersOf<number>();
  let left = 0;

  const signal = AbortSignal.abort(new Error("enough"));
  await assertRejects(
    () => callers.wait({ signal }, undefined, () => left++),
    Error,
    "enough",
  );

  assertEquals([left, callers.count], [1, 0]);
});

Deno.test("a signal that is aborted after the wait changes nothing", async () => {
  const { callers } = callersOf<number>();
  const controller = new AbortController();
  const { signal } = controller;
  const wait = callers.wait({ signal }, undefined, never);

  callers.resolve(() => 1);
  controller.abort();

  assertEquals(await wait, 1);
});

Deno.test("Callers refuses a type to those that don't accept it, and names the ranges of all where none does", async () => {
  const { callers, counters } = callersOf<number>();
  assertEquals(callers.isSelective, false);
  const left: string[] = [];
  const join = (range: string) => {
    const options = { accept: [range] };
    callers.join(options, undefined);
    return callers.wait(options, undefined, () => left.push(range));
  };
  const refused = join("video/*");
  const accepted = join("image/*");
  assertEquals(callers.isSelective, true);

  assertEquals(callers.refusalOf("image/png"), undefined);
  assertEquals(callers.refusalOf("text/html")?.accept, ["video/*", "image/*"]);
  callers.refuse("image/png");
  callers.resolve(() => 1);

  const error = await assertRejects(() => refused, UnacceptableTypeError);
  assertEquals(error.accept, ["video/*"]);
  assertEquals(await accepted, 1);
  assertEquals([left, counters.unacceptable], [["video/*"], 1]);
  callers.accept(undefined);
  assertEquals(callers.refusalOf("text/html"), undefined);
});
