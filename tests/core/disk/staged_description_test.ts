import { assertEquals } from "@std/assert";
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
  assertEquals((await followed.read())?.whole, false);

  const sidecar = (url: string) => JSON.stringify({ ...FACTS, url, ts: 1 });
  await staged.complete(
    sidecar("a".repeat(Math.max(0, size - sidecar("").length))).padEnd(size),
    false,
  );

  assertEquals((await followed.read())?.whole, true);
  followed.close();
  staged.close();
});
