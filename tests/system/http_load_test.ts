import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { CHANGES_NAME } from "../../src/core/disk/file_names.ts";
import { keyOf } from "../../src/core/text/key.ts";
import { pattern } from "../fixtures/bodies/bytes.ts";
import { ExampleServer } from "../fixtures/servers/example_server.ts";
import { Origin } from "../fixtures/servers/origin.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";

const CONNECTIONS = 16;
const DURATION_MS = 10_000;
const MB = 1_048_576;

/** The memory that a server may need beyond its memory after the warm-up. */
const MAX_GROWTH_BYTES = 192 * MB;

for (const size of [64 * 1024, 8 * MB]) {
  Deno.test(`/media serves ${CONNECTIONS} connections that request ${size} bytes without a pause`, async () => {
    await using temp = await tempDir();
    await using origin = new Origin();
    const body = pattern(size);
    const url = origin.bytes("/a.png", body, { "Content-Type": "image/png" });
    await using server = await ExampleServer.start({
      dir: join(temp.path, "cache"),
      hosts: new URL(url).host,
    });
    await (await fetch(server.proxied(url))).bytes();
    const path = `/media/${keyOf(url)}`;
    await load(server, path, size, 2000);
    const before = await processFacts(server.process.pid);

    const { responses, peakBytes } = await load(
      server,
      path,
      size,
      DURATION_MS,
    );

    const after = await processFacts(server.process.pid);
    assertEquals(await (await server.ask(path)).bytes(), body);
    // deno-lint-ignore no-console -- a figure for the reader
    console.log(
      `${size} bytes: ${responses / DURATION_MS * 1000} responses/s, ` +
        `${Math.round(responses * size / DURATION_MS / 1000)} MB/s, RSS ` +
        `${Math.round(before.rssBytes / MB)} MiB warm, ` +
        `${Math.round(peakBytes / MB)} MiB at most`,
    );
    assert(peakBytes - before.rssBytes < MAX_GROWTH_BYTES);
    const left = after.files.filter((path) => path.startsWith(temp.path))
      .filter((path) => !path.endsWith(CHANGES_NAME));
    assertEquals(left, []);
  });
}

/** Requests on many connections; every answer must be whole. */
async function load(
  server: ExampleServer,
  path: string,
  size: number,
  durationMs: number,
): Promise<{ responses: number; peakBytes: number }> {
  const end = performance.now() + durationMs;
  let responses = 0;
  let peakBytes = 0;
  const ask = async () => {
    while (performance.now() < end) {
      const response = await server.ask(path);
      let received = 0;
      for await (const chunk of response.body ?? []) received += chunk.length;
      assertEquals([response.status, received], [200, size]);
      if (responses++ % 100 === 0) {
        const { rssBytes } = await processFacts(server.process.pid);
        peakBytes = Math.max(peakBytes, rssBytes);
      }
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, ask));
  return { responses, peakBytes };
}

/** The facts of a process from Linux. */
async function processFacts(
  pid: number,
): Promise<{ rssBytes: number; files: string[] }> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  const rssBytes = Number(status.match(/^VmRSS:\s+(\d+) kB/m)?.[1]) * 1024;
  const files: string[] = [];
  for await (const { name } of Deno.readDir(`/proc/${pid}/fd`)) {
    files.push(await Deno.readLink(`/proc/${pid}/fd/${name}`).catch(() => ""));
  }
  return { rssBytes, files };
}
