/**
 * A server of the bodies, at `/ID?fault=KIND`, which breaks a body on
 * request. Prints its port; ends with its standard input.
 */
// deno-lint-ignore-file no-console
import { piecesOf, sizeOf } from "./bodies.ts";
import type { Fault } from "./faults.ts";

const CHUNK_BYTES = 65_536;
const PAUSE_MS = 1_000;

Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log(port),
}, (request) => {
  const { pathname, searchParams } = new URL(request.url);
  const id = Number(pathname.slice(1));
  const fault = searchParams.get("fault") as Fault | null;
  if (fault === "status") return new Response("broken", { status: 500 });
  const headers = new Headers({ "Content-Type": "image/png" });
  if (!searchParams.has("chunked")) {
    headers.set("Content-Length", String(sizeOf(id)));
  }
  return new Response(streamOf(id, fault), { headers });
});
await Deno.stdin.readable.pipeTo(new WritableStream());
// Clients of a silent body would keep the server alive for ever.
Deno.exit();

function streamOf(id: number, fault: Fault | null): ReadableStream<Uint8Array> {
  const size = sizeOf(id);
  const breaksAt = fault === null ? Infinity : Math.floor(size / 2);
  let position = 0;
  return new ReadableStream({
    async pull(controller) {
      if (position >= breaksAt) {
        if (fault === "cut") return controller.error(new Error("cut"));
        if (fault === "short") return controller.close();
        if (fault === "silent") return await new Promise(() => {});
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
      const end = Math.min(position + CHUNK_BYTES, size);
      // One piece, since the source may break at the next.
      const [piece] = piecesOf(id, position, end);
      if (piece !== undefined) controller.enqueue(piece.slice());
      position += piece?.length ?? 0;
      if (position === size) controller.close();
    },
  }, { highWaterMark: 0 });
}
