import { assertEquals, assertNotEquals } from "@std/assert";
import { join } from "@std/path";
import { FileSystem } from "../../../src/core/disk/file_system.ts";
import {
  FollowedDescription,
  StagedDescription,
} from "../../../src/core/disk/staged_description.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const FACTS = { mimetype: "image/png", filename: "a.png", size: 5 };

Deno.test("a follower sees the end even if the sidecar is as long as the description", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, "description");
  const fs = new FileSystem();
  const staged = await StagedDescription.create(fs, path, FACTS, 1);
  const { size } = await Deno.stat(path);
  const followed = new FollowedDescription(fs, path, 1);
  assertEquals((await followed.read())?.isComplete, false);

  const sidecar = (url: string) => JSON.stringify({ ...FACTS, url, ts: 1 });
  await staged.complete(
    sidecar("a".repeat(Math.max(0, size - sidecar("").length))).padEnd(size),
    false,
  );

  assertEquals((await followed.read())?.isComplete, true);
  followed.close();
  staged.close();
});

Deno.test("the description of a body in conversion shows life, and no facts, also to older releases", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, "description");
  const fs = new FileSystem();
  const staged = await StagedDescription.create(fs, path, "converting", 1);
  const followed = new FollowedDescription(fs, path, 1);
  const another = new FollowedDescription(fs, path, 2);

  assertEquals(await followed.read(), undefined);
  assertEquals(followed.pause, "converting");
  assertEquals(staged.isFollowed, true);
  assertEquals(await another.read(), undefined);
  assertEquals(another.pause, undefined);
  // Older releases ignore a description without this member.
  const text = await Deno.readTextFile(path);
  assertEquals("staged" in JSON.parse(text), false);

  await Deno.utime(path, 1, 1);
  await followed.read();
  const before = followed.writtenMs;
  await staged.beat();
  await followed.read();
  assertEquals(before, 1000);
  assertNotEquals(followed.writtenMs, before);
  assertEquals(await Deno.readTextFile(path), text);

  await staged.complete(JSON.stringify({ ...FACTS, url: "a", ts: 1 }), false);
  await Deno.utime(path, 1, 1);
  await staged.beat();
  assertEquals((await followed.read())?.isComplete, true);
  assertEquals([followed.pause, followed.writtenMs], [undefined, 1000]);
  for (const each of [staged, followed, another]) each.close();
});

Deno.test("a follower learns that a body is waited for, and later its facts", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, "description");
  const fs = new FileSystem();
  const staged = await StagedDescription.create(fs, path, "waiting", 1);
  const followed = new FollowedDescription(fs, path, 1);

  assertEquals(await followed.read(), undefined);
  assertEquals([followed.pause, staged.isFollowed], ["waiting", true]);
  await staged.tell(FACTS);
  const facts = { ...FACTS, isComplete: false, ending: undefined };
  assertEquals(await followed.read(), facts);
  assertEquals(followed.pause, undefined);

  await staged.complete(JSON.stringify({ ...FACTS, url: "a", ts: 1 }), false);
  const text = await Deno.readTextFile(path);
  await staged.tell("waiting");
  assertEquals(await Deno.readTextFile(path), text);
  for (const each of [staged, followed]) each.close();
});
