/**
 * The floor: the least work that the files of this package need. A put hashes
 * the URL once for the names, writes the body and the same sidecar, with the
 * digest of a body that this package hashes too, each to a new file, and renames
 * both. A hit opens, measures and reads the body. A miss writes each chunk as
 * `fetch` brings it and passes it on. No lock, no check, no look for earlier
 * files, no index, no memory.
 */
import { createHash, hash } from "node:crypto";
import { join } from "@std/path";
import type { Contender } from "./contender.ts";

const PIECE_BYTES = 262_144;

/** The largest bodies that this package hashes. */
const HASHED_BYTES = { put: 65_536, download: 4_194_304 };

const encoder = new TextEncoder();

/** Opens the contender. */
export async function open(dir: string): Promise<Contender> {
  await Deno.mkdir(dir, { recursive: true });
  const stemOf = (url: string) => join(dir, hash("sha256", url, "hex"));
  const create = (path: string) =>
    Deno.openSync(path, { write: true, createNew: true, mode: 0o600 });
  const write = (file: Deno.FsFile, data: Uint8Array) => {
    for (let done = 0; done < data.length;) {
      done += file.writeSync(done === 0 ? data : data.subarray(done));
    }
  };
  /** Writes the sidecar, and gives both files their names. */
  const finish = (
    stem: string,
    url: string,
    size: number,
    sha256: string | undefined,
  ) => {
    const [mimetype, filename] = ["video/mp4", "clip.mp4"];
    const ts = Date.now() / 1000;
    const sidecar = { url, mimetype, filename, size, ts, sha256 };
    const file = create(`${stem}.json.part`);
    write(file, encoder.encode(JSON.stringify(sidecar, undefined, 2)));
    file.close();
    Deno.renameSync(`${stem}.dat.part`, `${stem}.dat`);
    Deno.renameSync(`${stem}.json.part`, `${stem}.json`);
  };
  return {
    put(url, data) {
      const stem = stemOf(url);
      const sha256 = data.length <= HASHED_BYTES.put
        ? hash("sha256", data, "hex")
        : undefined;
      const file = create(`${stem}.dat.part`);
      write(file, data);
      file.close();
      finish(stem, url, data.length, sha256);
      return Promise.resolve();
    },
    bytes(url) {
      const file = Deno.openSync(`${stemOf(url)}.dat`);
      const bytes = new Uint8Array(file.statSync().size);
      for (let done = 0; done < bytes.length;) {
        const rest = done === 0 ? bytes : bytes.subarray(done);
        done += file.readSync(rest) ?? Infinity;
      }
      file.close();
      return Promise.resolve(bytes.length);
    },
    stream(url) {
      const file = Deno.openSync(`${stemOf(url)}.dat`);
      const end = (controller: ReadableByteStreamController) => {
        file.close();
        controller.close();
        controller.byobRequest?.respond(0);
      };
      const stream = new ReadableStream({
        type: "bytes",
        pull(controller) {
          const request = controller.byobRequest;
          const view = request?.view as Uint8Array ??
            new Uint8Array(PIECE_BYTES);
          const count = file.readSync(view);
          if (count === null) return end(controller);
          if (request !== null) return request.respond(count);
          controller.enqueue(view.subarray(0, count));
        },
      }, { highWaterMark: 0 });
      return Promise.resolve(stream);
    },
    async download(url) {
      const { body, headers } = await fetch(url);
      if (body === null) throw new Error("No body");
      const stem = stemOf(url);
      const size = Number(headers.get("content-length"));
      const digest = size <= HASHED_BYTES.download
        ? createHash("sha256")
        : undefined;
      const file = create(`${stem}.dat.part`);
      const reader = body.getReader();
      const { promise, resolve } = Promise.withResolvers<void>();
      const written = new ReadableStream<Uint8Array>({
        async pull(controller) {
          const { value } = await reader.read();
          if (value !== undefined) {
            digest?.update(value);
            write(file, value);
            return controller.enqueue(value);
          }
          file.close();
          finish(stem, url, size, digest?.digest("hex"));
          controller.close();
          resolve();
        },
      }, { highWaterMark: 0 });
      return { body: written, stored: promise };
    },
  };
}
