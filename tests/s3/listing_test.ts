import { assertEquals, assertRejects } from "@std/assert";
import { namesOf } from "../../src/s3/listing.ts";
import { Random } from "../fixtures/inputs/random.ts";

function listing(content: string): Response {
  return new Response(
    `<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${content}</ListBucketResult>\n`,
  );
}

Deno.test("names are decoded, in the order of the store", async () => {
  const { names, isTruncated } = await namesOf(listing(
    "<Name>media</Name><IsTruncated>true</IsTruncated><Contents><Key>a/b%2Fc</Key><Size>0</Size></Contents>" +
      "<Contents><Key>%E7%8C%AB%20a+b</Key></Contents>",
  ));

  assertEquals(names, ["a/b/c", "猫 a b"]);
  assertEquals(isTruncated, true);
});

Deno.test("an empty listing is whole", async () => {
  assertEquals(await namesOf(listing("<IsTruncated>false</IsTruncated>")), {
    names: [],
    isTruncated: false,
  });
});

Deno.test("entities are not expanded, and names with them are left out", async () => {
  const { names } = await namesOf(listing(
    '<!DOCTYPE x [<!ENTITY a "b">]><Contents><Key>&a;</Key></Contents><Contents><Key>%zz</Key></Contents>' +
      "<Contents><Key>right</Key></Contents>",
  ));

  assertEquals(names, ["right"]);
});

Deno.test("what is no whole listing is an error", async () => {
  const right = await listing("<Contents><Key>a</Key></Contents>").text();
  for (
    const text of [
      "",
      "<html>",
      right.slice(0, -20),
      "<Error><Code>X</Code></Error>",
      "{}",
    ]
  ) {
    await assertRejects(
      () => namesOf(new Response(text)),
      Error,
      "must be a whole ListBucketResult",
    );
  }
});

Deno.test("an endless listing is cut", async () => {
  let sent = 0;
  let cancelled = false;
  const endless = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      sent++;
      controller.enqueue(new Uint8Array(65_536).fill(60));
    },
    cancel() {
      cancelled = true;
    },
  });

  await assertRejects(
    () => namesOf(new Response(endless)),
    Error,
    "more than 4 MiB",
  );

  assertEquals([cancelled, sent < 70], [true, true]);
});

Deno.test("a listing that is changed at random is names or an error", async () => {
  const random = new Random();
  const right = await listing(
    "<IsTruncated>false</IsTruncated>" +
      "<Contents><Key>a%2Fb</Key></Contents>".repeat(5),
  ).text();
  for (let run = 0; run < 500; run++) {
    const at = random.integer(0, right.length);
    const text = right.slice(0, at) +
      random.pick(["", "<", "&", "<Key>", "%", "\0", "]]>"]) +
      right.slice(at + random.integer(0, 9));

    const found = await namesOf(new Response(text)).catch((error: Error) =>
      error
    );

    if (found instanceof Error) {
      assertEquals(
        found.message.startsWith("Cannot list objects"),
        true,
        random.hint,
      );
    }
  }
});
