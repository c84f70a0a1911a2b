import { assert, assertEquals, assertRejects } from "@std/assert";
import { type Downloader, MediaCache } from "../../../mod.ts";
import { bytesOf } from "../../fixtures/directory/files.ts";
import { SlowDisk } from "../../fixtures/faults/disk_faults.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const SIZE = 3_000;
const PIECES = 3;
const BODY = bytesOf(SIZE);

/** A time at which a source detaches a chunk, and what makes it happen. */
const TIMES: Readonly<Record<string, (detach: () => void) => void>> = {
  "at once": (detach) => detach(),
  "in a microtask": (detach) => queueMicrotask(detach),
  "ten microtasks later": async (detach) => {
    for (let i = 0; i < 10; i++) await Promise.resolve();
    detach();
  },
  "in the next turn": (detach) => setTimeout(detach),
};

function detach({ buffer }: Uint8Array<ArrayBuffer>): void {
  if (!buffer.detached) structuredClone(buffer, { transfer: [buffer] });
}

/** A stream of the body in equal chunks; each is detached at that time. */
function detaching(
  time: (detach: () => void) => void,
  chunks: number,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let sent = 0;
  return new ReadableStream({
    pull(controller) {
      if (sent === SIZE) return controller.close();
      const chunk = BODY.slice(sent, sent += SIZE / chunks);
      controller.enqueue(chunk);
      time(() => detach(chunk));
    },
  });
}

/** The bytes of a download, or the error of its call or of its body. */
async function bodyOf(
  cache: MediaCache,
  url: string,
  downloader: Downloader,
): Promise<Uint8Array | { error: unknown }> {
  try {
    await using media = await cache.getOrDownload(url, downloader);
    return await media.bytes();
  } catch (error) {
    return { error };
  }
}

/** The bytes that the cache has stored. */
async function storedBytes(
  cache: MediaCache,
  url: string,
): Promise<Uint8Array | undefined> {
  await using media = await cache.get(url);
  return await media?.bytes();
}

for (const disk of ["fast", "slow"]) {
  for (const [title, time] of Object.entries(TIMES)) {
    Deno.test(`a source that detaches its chunks ${title} never shortens a body, on a ${disk} disk`, async () => {
      using _slow = disk === "slow" ? new SlowDisk() : undefined;
      await using dir = await tempDir();
      await using cache = await MediaCache.open({
        cacheDir: dir.path,
        maxMemoryItems: 0,
        onEvent: () => {},
      });
      // The second slow call turns the cache to asynchronous I/O.
      await cache.put("first", BODY, "", "");
      for (const chunks of [1, PIECES]) {
        for (const size of [undefined, SIZE]) {
          const url = `download ${chunks} ${size}`;
          const found = await bodyOf(cache, url, () =>
            Promise.resolve({
              data: detaching(time, chunks),
              ...(size !== undefined && { size }),
            }));
          if (!("error" in found)) assertEquals(found, BODY, url);
          const stored = await storedBytes(cache, url);
          if (stored !== undefined) assertEquals(stored, BODY, url);
        }
        const url = `put ${chunks}`;
        const put = cache.put(url, detaching(time, chunks), "", "");
        const isStored = await put.catch(() => undefined);
        const stored = await storedBytes(cache, url);
        if (isStored === undefined) assertEquals(stored, undefined);
        else assertEquals(stored, BODY, url);
      }
    });
  }
}

for (const chunks of [1, PIECES]) {
  for (const size of [undefined, SIZE]) {
    const length = size === undefined ? "unknown" : "declared";
    Deno.test(`a download of ${chunks} detached chunks and ${length} length is an error that says so`, async () => {
      await using dir = await tempDir();
      await using cache = await MediaCache.open({ cacheDir: dir.path });

      const found = await bodyOf(cache, "a", () =>
        Promise.resolve({
          data: detaching((detach) => detach(), chunks),
          ...(size !== undefined && { size }),
        }));

      assert("error" in found && found.error instanceof TypeError);
      assertEquals(
        found.error.message,
        "Cannot read body: a chunk must keep its bytes: received a detached Uint8Array",
      );
      assertEquals(await cache.has("a"), false);
    });
  }
}

Deno.test("a put of detached chunks rejects, and stores nothing", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });

  await assertRejects(
    () => cache.put("a", detaching((detach) => detach(), 3), "", ""),
    TypeError,
    "a chunk must keep its bytes",
  );

  assertEquals(await cache.has("a"), false);
  assertEquals(cache.stats().stagedBytes, 0);
});

for (const size of [SIZE, 600_000]) {
  Deno.test(`a put of an array of ${size} bytes that is detached meanwhile is whole or rejects`, async () => {
    for (const [title, time] of Object.entries(TIMES)) {
      await using dir = await tempDir();
      await using cache = await MediaCache.open({
        cacheDir: dir.path,
        maxMemoryItemMb: 0,
      });
      const data = bytesOf(size);

      const put = cache.put("a", data, "", "");
      time(() => detach(data));

      const isStored = await put.catch((error) => {
        assert(error instanceof TypeError, title);
        return undefined;
      });
      const stored = await storedBytes(cache, "a");
      assertEquals(stored, isStored ? bytesOf(size) : undefined, title);
      assert(isStored !== false, title);
    }
  });
}

Deno.test("a put of an array that is detached during the commit leaves the bytes on disk", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    maxMemoryItemMb: 0,
  });
  const data = bytesOf(SIZE);
  const { renameSync } = Deno;
  Deno.renameSync = (from, to) => {
    detach(data);
    renameSync(from, to);
  };
  try {
    assertEquals(await cache.put("a", data, "", ""), true);
  } finally {
    Deno.renameSync = renameSync;
  }

  assertEquals(await storedBytes(cache, "a"), bytesOf(SIZE));
});

Deno.test("an array that a downloader gives and detaches meanwhile is whole or an error", async () => {
  for (const [title, time] of Object.entries(TIMES)) {
    await using dir = await tempDir();
    await using cache = await MediaCache.open({ cacheDir: dir.path });
    const data = bytesOf(600_000);

    const found = await bodyOf(cache, "a", () => {
      time(() => detach(data));
      return Promise.resolve({ data });
    });

    if (!("error" in found)) assertEquals(found, bytesOf(600_000), title);
    const stored = await storedBytes(cache, "a");
    if (stored !== undefined) assertEquals(stored, bytesOf(600_000), title);
  }
});

Deno.test("a reader that detaches the chunks it shares with others never shortens their bodies", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });
  const pieces = [1, 2, 3].map((salt) => bytesOf(5_000, salt));
  const body = await new Blob(pieces).bytes();
  let source: ReadableStreamDefaultController<Uint8Array> | undefined;
  const data = new ReadableStream<Uint8Array>({
    start: (controller) => source = controller,
  });
  const download = () => Promise.resolve({ data });
  const calls = [1, 2, 3].map(() => cache.getOrDownload("a", download));
  source?.enqueue(pieces[0]?.slice());
  const [one, two, three] = await Promise.all(calls);
  const others = [two?.bytes(), new Response(three?.body).bytes()]
    .map((bytes) => bytes?.catch((error: unknown) => ({ error })));

  const reader = one?.body.getReader();
  for (const piece of [pieces[1], pieces[2], undefined]) {
    const { value } = await reader?.read() ?? {};
    if (value !== undefined) detach(value);
    if (piece !== undefined) source?.enqueue(piece.slice());
  }
  source?.close();
  await reader?.cancel();

  for (const other of await Promise.all(others)) {
    if (other === undefined || "error" in other) {
      assert(other?.error instanceof Error);
    } else {
      assertEquals(other, body);
    }
  }
  await one?.stored;
  assertEquals(await storedBytes(cache, "a"), body);
});
