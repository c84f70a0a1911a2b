import { assert, assertEquals } from "@std/assert";
import { runProgram } from "../../fixtures/processes/program.ts";
import { Origin } from "../../fixtures/servers/origin.ts";

const MB = 2 ** 20;

/** A server of bodies; the path states the length. */
function bodies(): Origin {
  const origin = new Origin();
  for (const size of [128 * MB, 256 * MB]) {
    origin.on(`/${size}`, () => {
      let left = size;
      const body = new ReadableStream<Uint8Array>({
        pull(controller) {
          controller.enqueue(new Uint8Array(65_536).fill(left / 65_536));
          left -= 65_536;
          if (left === 0) controller.close();
        },
      });
      return new Response(body, { headers: { "content-length": `${size}` } });
    });
  }
  return origin;
}

/** Downloads 128 MiB, then 256 MiB, and prints the growth of peak memory. */
function program(origin: Origin, readers: number, options = ""): string {
  return `
    const cache = await MediaCache.open({ cacheDir, ${options} });
    let peak = 0;
    const look = () => peak = Math.max(peak, Deno.memoryUsage().rss);
    async function read(media) {
      let size = 0;
      for await (const chunk of media.body) {
        size += chunk.length;
        look();
      }
      return size;
    }
    async function download(size, readers) {
      const url = "${origin.url("/")}" + size;
      const get = () => cache.getOrDownload(url, ({ url }) => fetch(url));
      return await Promise.all(Array.from({ length: readers }, get));
    }
    await read(...await download(${128 * MB}, 1));
    const before = Deno.memoryUsage().rss;
    const [stalled, ...others] = await download(${256 * MB}, ${readers + 1});
    const reader = stalled.body.getReader();
    await reader.read();
    const sizes = await Promise.all(others.map(read));
    console.log(JSON.stringify({ sizes, growth: peak - before }));
    await reader.cancel();
    await cache.close();
  `;
}

for (const readers of [1, 15]) {
  Deno.test(`memory grows neither with a body nor with its ${readers + 1} readers, one of them stalled`, async () => {
    await using origin = bodies();

    const [result] = await runProgram(program(origin, readers)) as [
      { sizes: number[]; growth: number },
    ];

    assertEquals(result.sizes, Array(readers).fill(256 * MB));
    assert(result.growth < 128 * MB, `${result.growth / MB} MiB`);
  });
}

Deno.test("memory does not grow with a body that cannot be stored", async () => {
  await using origin = bodies();

  const [result] = await runProgram(`
    const cache = await MediaCache.open({ cacheDir, maxSizeMb: 1 });
    let peak = 0;
    const sizes = [];
    for (const path of ["${128 * MB}", "${256 * MB}"]) {
      const before = Deno.memoryUsage().rss;
      const media = await cache.getOrDownload(
        "${origin.url("/")}" + path,
        ({ url }) => fetch(url),
      );
      let size = 0;
      peak = 0;
      for await (const chunk of media.body) {
        size += chunk.length;
        peak = Math.max(peak, Deno.memoryUsage().rss - before);
      }
      sizes.push(size);
    }
    await cache.close();
    console.log(JSON.stringify({ sizes, growth: peak }));
  `) as [{ sizes: number[]; growth: number }];

  assertEquals(result.sizes, [128 * MB, 256 * MB]);
  assert(result.growth < 128 * MB, `${result.growth / MB} MiB`);
});

Deno.test("an unread Media that is garbage collected closes its file", async () => {
  const [open] = await runProgram(
    `
    const cache = await MediaCache.open({ cacheDir, maxMemoryItems: 0 });
    const files = () => [...Deno.readDirSync("/proc/self/fd")].filter(({ name }) => {
      try {
        const path = Deno.readLinkSync("/proc/self/fd/" + name);
        return path.startsWith(cacheDir) && path.endsWith(".dat");
      } catch {
        return false;
      }
    }).length;
    async function drop(url) {
      const download = async () => ({ data: new Uint8Array(1_000_000) });
      const media = await cache.getOrDownload(url, download);
      await media.stored;
      await cache.get(url);
      await (await cache.get(url)).body.getReader().read();
    }
    for (let n = 0; n < 50; n++) await drop("a:" + n);
    const before = files();
    const turn = () => new Promise((resolve) => setTimeout(resolve, 1));
    for (let n = 0; n < 500 && files() > 0; n++) {
      gc();
      await turn();
    }
    console.log(JSON.stringify({ before, after: files() }));
    await cache.close();
    `,
    { flags: ["-A", "--v8-flags=--expose-gc"] },
  ) as [{ before: number; after: number }];

  assert(open.before > 0);
  assertEquals(open.after, 0);
});

Deno.test("a stream that is still read keeps its Media alive", async () => {
  const [sizes] = await runProgram(
    `
    const cache = await MediaCache.open({ cacheDir, maxMemoryItems: 0 });
    await cache.put("a:", new Uint8Array(3_000_000), "", "");
    let reader = (await cache.get("a:")).body.getReader();
    let size = (await reader.read()).value.length;
    const turn = () => new Promise((resolve) => setTimeout(resolve, 1));
    for (let n = 0; n < 20; n++) {
      gc();
      await turn();
    }
    for (;;) {
      const { value } = await reader.read();
      if (value === undefined) break;
      size += value.length;
      gc();
    }
    console.log(JSON.stringify(size));
    await cache.close();
    `,
    { flags: ["-A", "--v8-flags=--expose-gc"] },
  );

  assertEquals(sizes, 3_000_000);
});

Deno.test("a disposed Media is garbage collected, also after an error", async () => {
  const [alive] = await runProgram(
    `
    const cache = await MediaCache.open({ cacheDir, maxMemoryItems: 0, whenAbandoned: "abort" });
    await cache.put("a:", new Uint8Array(100_000), "", "");
    const all = [];
    async function take(n, giveBack) {
      const controller = new AbortController();
      const data = () => new ReadableStream({
        start: (controller) => controller.enqueue(new Uint8Array(1000)),
      });
      const media = await cache.getOrDownload(
        n % 2 === 0 ? "a:" : "b:" + n,
        async () => ({ data: data() }),
        { signal: controller.signal },
      );
      all.push(new WeakRef(media));
      await giveBack(media, controller);
    }
    for (let n = 0; n < 20; n++) {
      await take(n, (media) => media[Symbol.asyncDispose]());
      await take(n, (media) => media.body.cancel());
      await take(n, async (media) => {
        const reader = media.body.getReader();
        await reader.read();
        await reader.cancel(new Error("enough"));
      });
      await take(n, (media, controller) => controller.abort());
      await take(n, async (media) => {
        const reader = media.body.getReader();
        await reader.read();
        await media[Symbol.asyncDispose]();
        await reader.read().catch(() => {});
      });
    }
    const alive = () => all.filter((ref) => ref.deref() !== undefined).length;
    const turn = () => new Promise((resolve) => setTimeout(resolve, 1));
    for (let n = 0; n < 100 && alive() > 0; n++) {
      await turn();
      gc();
    }
    console.log(JSON.stringify(alive()));
    await cache.close();
    `,
    { flags: ["-A", "--v8-flags=--expose-gc"] },
  );

  assertEquals(alive, 0);
});
