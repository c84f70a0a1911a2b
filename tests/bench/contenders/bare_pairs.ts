/**
 * The least work that the files of this package need: a body and its sidecar
 * are made under other names, written and renamed, and a body is opened and
 * read. No lock, no check, no index, no memory. A floor.
 */
import { hash } from "node:crypto";
import { join } from "@std/path";
import type { Contender } from "./contender.ts";

const PIECE_BYTES = 262_144;

/** Opens the contender. */
export async function open(dir: string): Promise<Contender> {
  await Deno.mkdir(dir, { recursive: true });
  const stem = (url: string) => join(dir, hash("sha256", url, "hex"));
  const create = (path: string) =>
    Deno.openSync(path, { write: true, createNew: true, mode: 0o600 });
  const name = (url: string) => {
    const sidecar = { url, mimetype: "video/mp4", filename: "clip.mp4" };
    using file = create(`${stem(url)}.json.part`);
    file.writeSync(new TextEncoder().encode(JSON.stringify(sidecar)));
    Deno.renameSync(`${stem(url)}.dat.part`, `${stem(url)}.dat`);
    Deno.renameSync(`${stem(url)}.json.part`, `${stem(url)}.json`);
  };
  return {
    put(url, data) {
      {
        using file = create(`${stem(url)}.dat.part`);
        for (let done = 0; done < data.length;) {
          done += file.writeSync(data.subarray(done));
        }
      }
      name(url);
      return Promise.resolve();
    },
    bytes(url) {
      using file = Deno.openSync(`${stem(url)}.dat`);
      const bytes = new Uint8Array(file.statSync().size);
      for (let done = 0; done < bytes.length;) {
        done += file.readSync(bytes.subarray(done)) ?? Infinity;
      }
      return Promise.resolve(bytes.length);
    },
    stream(url) {
      const file = Deno.openSync(`${stem(url)}.dat`);
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
      const { body } = await fetch(url);
      if (body === null) throw new Error("No body");
      const file = create(`${stem(url)}.dat.part`);
      const reader = body.getReader();
      const { promise, resolve } = Promise.withResolvers<void>();
      const written = new ReadableStream<Uint8Array>({
        async pull(controller) {
          const { value } = await reader.read();
          if (value !== undefined) {
            file.writeSync(value);
            return controller.enqueue(value);
          }
          file.close();
          name(url);
          controller.close();
          resolve();
        },
      }, { highWaterMark: 0 });
      return { body: written, stored: promise };
    },
  };
}
