import { assertEquals } from "@std/assert";
import { isWholeMp4 } from "../../../src/core/gif/mp4_boxes.ts";

/** A box, with its length in 32 bits or, if `isLong`, in 64. */
function box(type: string, bytes: number, isLong = false): Uint8Array {
  const head = isLong ? 16 : 8;
  const view = new DataView(new ArrayBuffer(head + bytes));
  view.setUint32(0, isLong ? 1 : head + bytes);
  if (isLong) view.setBigUint64(8, BigInt(head + bytes));
  const box = new Uint8Array(view.buffer);
  box.set(new TextEncoder().encode(type), 4);
  return box;
}

async function isWhole(...parts: Uint8Array[]): Promise<boolean> {
  const bytes = await new Blob(parts as Uint8Array<ArrayBuffer>[]).bytes();
  const readAt = (view: Uint8Array, position: number) => {
    const piece = bytes.subarray(position, position + view.length);
    view.set(piece);
    return piece.length;
  };
  return await isWholeMp4({ readAt }, bytes.length);
}

Deno.test("isWholeMp4() accepts a video with all of its boxes", async () => {
  const [ftyp, moov, mdat] = [box("ftyp", 24), box("moov", 99), box("mdat", 5)];

  assertEquals(await isWhole(ftyp, moov, box("free", 0), mdat), true);
  assertEquals(await isWhole(ftyp, box("mdat", 999, true), moov), true);
});

Deno.test("isWholeMp4() refuses a truncated video, a video without a box, and other bytes", async () => {
  const [ftyp, moov, mdat] = [box("ftyp", 24), box("moov", 99), box("mdat", 5)];
  const whole = await new Blob([ftyp, moov, mdat] as BlobPart[]).bytes();

  for (let size = 0; size < whole.length; size++) {
    assertEquals(await isWhole(whole.slice(0, size)), false, `${size}`);
  }
  assertEquals(await isWhole(whole, Uint8Array.of(0)), false);
  assertEquals(await isWhole(ftyp, mdat), false);
  assertEquals(await isWhole(ftyp, moov, mdat.map(() => 0)), false);
  assertEquals(await isWhole(ftyp, moov, mdat.map(() => 255)), false);
  assertEquals(
    await isWhole(new TextEncoder().encode("no video at all")),
    false,
  );
  const many = Array.from({ length: 99 }, () => box("free", 0));
  assertEquals(await isWhole(ftyp, moov, mdat, ...many), false);
});
