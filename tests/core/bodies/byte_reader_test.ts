import { assertEquals } from "@std/assert";
import { turn } from "../../fixtures/cache/recorder.ts";
import {
  type ByteReader,
  toStream,
} from "../../../src/core/bodies/byte_reader.ts";

for (const isByteStream of [false, true]) {
  const kind = isByteStream ? "a byte stream" : "a stream";

  Deno.test(`cancel() of ${kind} resolves when the read that runs has ended, and the file can be closed`, async () => {
    const order: string[] = [];
    const begun = Promise.withResolvers<void>();
    const read = Promise.withResolvers<Uint8Array<ArrayBuffer>>();
    const reader: ByteReader = {
      read() {
        begun.resolve();
        return read.promise;
      },
      close: () => order.push("closed"),
    };
    const stream = toStream(() => reader, isByteStream);
    const streamReader = stream.getReader();
    const reading = streamReader.read();
    await begun.promise;

    const cancelled = streamReader.cancel().then(() => order.push("cancelled"));
    await reading;
    await turn();
    order.push("read by nobody");
    read.resolve(new Uint8Array(1));
    await cancelled;

    assertEquals(order, ["closed", "read by nobody", "cancelled"]);
  });
}
