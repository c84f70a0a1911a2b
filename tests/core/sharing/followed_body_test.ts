import { assertEquals } from "@std/assert";
import { gather } from "../../../src/core/bodies/byte_reader.ts";
import { DiskFile } from "../../../src/core/disk/disk_file.ts";
import { FileSystem } from "../../../src/core/disk/file_system.ts";
import { FollowedBody } from "../../../src/core/sharing/followed_body.ts";
import { pattern } from "../../fixtures/bodies/bytes.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const EVENTS = { onServed() {}, onAbandoned() {}, onFault() {} };

/** A file that gives its bytes when the test says so. */
class SlowFile extends DiskFile {
  readonly asked = Promise.withResolvers<void>();
  readonly let = Promise.withResolvers<void>();

  override async readAt(view: Uint8Array, position: number): Promise<number> {
    const count = await super.readAt(view, position);
    this.asked.resolve();
    await this.let.promise;
    return count;
  }
}

Deno.test("bytes being read when a download is lost are not mixed with those of the next", async () => {
  await using dir = await tempDir();
  const fs = new FileSystem();
  const bodies = [];
  for (const seed of [1, 2]) {
    const path = `${dir.path}/${seed}`;
    await Deno.writeFile(path, pattern(1000, seed));
    const file = new SlowFile(fs.io, fs.refusals, await Deno.open(path));
    const body = new FollowedBody(file, 1000, EVENTS);
    bodies.push({ file, body, media: body.body() });
    body.letGo();
  }
  const [one, two] = bodies;
  if (one === undefined || two === undefined) throw new Error("unreachable");
  one.body.grow(500);
  two.body.completeAt(1000);
  two.file.let.resolve();
  const bytes = gather(one.media.reader(0, Infinity), 1000);
  await one.file.asked.promise;

  one.body.lose(new Error("lost"));
  one.body.succeed(() => two.body.body());
  one.file.let.resolve();

  assertEquals(await bytes, pattern(1000, 2));
  one.media.release();
  two.media.release();
});
