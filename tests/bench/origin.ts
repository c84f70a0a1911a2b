/**
 * A server of bodies of any length, at `/LENGTH/anything`, as fast as it can.
 * Prints its port.
 */
// deno-lint-ignore-file no-console

const CHUNK_BYTES = 65_536;

/**
 * The bytes of bodies; each chunk comes from another place, so that none equals
 * the one before.
 */
const block = new Uint8Array(16 * 1_048_576);
for (let i = 0; i < block.length; i += CHUNK_BYTES) {
  crypto.getRandomValues(block.subarray(i, i + CHUNK_BYTES));
}

Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log(port),
}, (request) => {
  const length = Number(new URL(request.url).pathname.split("/")[1]);
  const headers = {
    "Content-Length": String(length),
    "Content-Type": "video/mp4",
    // Without it HTTP caches keep nothing.
    "Cache-Control": "public, max-age=86400",
  };
  if (length <= CHUNK_BYTES) {
    return new Response(block.subarray(0, length), { headers });
  }
  let sent = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const from = sent * 7 % (block.length - CHUNK_BYTES);
      const size = Math.min(CHUNK_BYTES, length - sent);
      controller.enqueue(block.subarray(from, from + size));
      sent += size;
      if (sent === length) controller.close();
    },
  }, { highWaterMark: 0 });
  return new Response(body, { headers });
});
