import { assert, assertEquals } from "@std/assert";
import { keyOf } from "../../../src/core/text/key.ts";
import { pattern } from "../../fixtures/bodies/bytes.ts";
import { namesIn } from "../../fixtures/directory/files.ts";
import { Origin } from "../../fixtures/servers/origin.ts";
import {
  share,
  type SharingProcess,
} from "../../fixtures/sharing/sharing_processes.ts";

const BODY = pattern(100_000, 5);
/** The mark and the length of what `put()` stores. */
const [PUT_MARK, PUT_SIZE] = [7, 1000];

/** A call in one process while another one downloads the URL. */
interface Change {
  call(process: SharingProcess, url: string): Promise<unknown>;
  /** The first byte of the entry at the end; null for no entry. */
  left: number | null;
}

const put = (process: SharingProcess, url: string, replace: boolean) =>
  process.ask("put", url, PUT_MARK, PUT_SIZE, replace);

/** Stores so many others that the entry of the URL is evicted. */
async function evict(process: SharingProcess, url: string): Promise<void> {
  for (let other = 0; other < 8; other++) {
    await process.ask("put", `other ${other}`, 1, 50_000);
  }
  assertEquals(await process.ask("get", url), null);
}

/** The first byte of what is left where the downloaded body is stored. */
const DOWNLOADED = BODY[0] ?? null;
const CHANGES: Record<string, Change> = {
  "nothing": { call: () => Promise.resolve(), left: DOWNLOADED },
  "put()": { call: (one, url) => put(one, url, false), left: PUT_MARK },
  "put() with replace": {
    call: (one, url) => put(one, url, true),
    left: PUT_MARK,
  },
  "put() with replace, and an eviction of what it stored": {
    call: async (one, url) => {
      await put(one, url, true);
      await evict(one, url);
    },
    left: null,
  },
  "delete()": { call: (one, url) => one.ask("delete", url), left: null },
  "put(), and delete()": {
    call: async (one, url) => {
      await put(one, url, true);
      await one.ask("delete", url);
    },
    left: null,
  },
  "deleteByKey()": {
    call: (one, url) => one.ask("deleteByKey", keyOf(url)),
    left: null,
  },
  "clear()": { call: (one) => one.ask("clear"), left: null },
  "verify({ fix: true })": {
    call: (one) => one.ask("verify"),
    left: DOWNLOADED,
  },
  "an eviction of others": {
    call: async (one) => {
      await one.ask("put", "victim", 1, 1000);
      await evict(one, "victim");
    },
    left: DOWNLOADED,
  },
};

for (const [what, { call, left }] of Object.entries(CHANGES)) {
  Deno.test(`a download of another process reaches its callers whole, and is stored as in one cache, after ${what}`, async () => {
    await using processes = await share(3, { maxSizeMb: 0.3 });
    const { all: [one, two, three], cacheDir } = processes;
    assert(one !== undefined && two !== undefined && three !== undefined);
    await using origin = new Origin();
    const { url, tap } = origin.tap("/a", { "Content-Type": "image/png" });
    tap.write(BODY.slice(0, 1000));
    await two.ask("take", "mine", url);
    await three.ask("take", "followed", url);
    await three.ask("readSome", "followed", 1000);

    await call(one, url);
    tap.write(BODY.slice(1000));
    tap.end();

    assertEquals(await two.ask("readRest", "mine"), BODY.length);
    assertEquals(await three.ask("readRest", "followed"), BODY.length - 1000);
    assertEquals(origin.requests("/a"), 1);
    const isStored = left === DOWNLOADED;
    assertEquals(await two.ask("stored", "mine"), isStored);
    assertEquals(await three.ask("stored", "followed"), isStored);
    for (const process of processes.all) {
      assertEquals((await process.ask("get", url))?.[0] ?? null, left);
      assertEquals(await process.ask("faults"), []);
    }
    await Promise.all(processes.all.map((process) => process.ask("close")));
    const parts = (await namesIn(cacheDir))
      .filter((name) => name.endsWith(".part"));
    assertEquals(parts, []);
  });
}
