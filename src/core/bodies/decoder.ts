import type { Buffer } from "node:buffer";
import type { Transform } from "node:stream";
import { MediaCacheError } from "../api/errors.ts";
import type { ChunkSource } from "./chunk_source.ts";

/** A format of compressed bytes. `br` can be tried, and not decoded: where a body is cut, nothing tells. */
export type CompressedFormat = "gzip" | "zlib" | "deflate-raw" | "br";

/** A format that bodies are decoded from. */
export type DecodedFormat = Exclude<CompressedFormat, "br">;

/** Bytes of one decoded chunk, at most. */
const CHUNK_BYTES = 65_536;

// Node's streams and not `DecompressionStream`, which makes one chunk of all that a chunk decodes to (50 KB become 50
// MB at once), and takes zlib without its checksum. These stop after each CHUNK_BYTES until they are read.
async function decoderOf(format: CompressedFormat): Promise<Decoder> {
  // Loaded when it is needed: the first time takes some 40 ms.
  const zlib = await import("node:zlib");
  const options = { chunkSize: CHUNK_BYTES };
  switch (format) {
    case "gzip":
      return zlib.createGunzip(options);
    case "zlib":
      return zlib.createInflate(options);
    case "deflate-raw":
      return zlib.createInflateRaw(options);
    case "br":
      return zlib.createBrotliDecompress(options);
  }
}

type Decoder = Transform & { readonly bytesWritten: number };

/**
 * Decodes the first bytes of a body, to see whether they are of a format.
 *
 * @returns What they decode to, at most 64 KiB, which may be nothing yet; undefined when they are not of the format.
 */
export async function tryDecode(
  format: CompressedFormat,
  bytes: Uint8Array,
): Promise<Uint8Array | undefined> {
  const decoder = await decoderOf(format);
  const { setImmediate } = await import("node:timers");
  const { promise, resolve } = Promise.withResolvers<Uint8Array | undefined>();
  const settle = (output: Uint8Array | undefined) => {
    decoder.destroy();
    resolve(output);
  };
  let first: Uint8Array = new Uint8Array();
  decoder.on("error", () => settle(undefined));
  // Without a call of `end()` that means: bytes are left over. A checksum has told before that the others are right.
  const hasChecksum = format === "gzip" || format === "zlib";
  decoder.on("end", () => settle(hasChecksum ? first : undefined));
  decoder.once("data", (output: Buffer) => {
    first = output;
    // An error, or an end, may still follow the first output.
    setImmediate(() => settle(output));
  });
  decoder.write(bytes, () => setImmediate(() => settle(new Uint8Array())));
  return await promise;
}

/** The decoded bytes of a compressed body, whose end must be that of the compressed data. */
export class DecodedSource implements ChunkSource {
  readonly #chunks: ChunkSource;
  readonly #format: DecodedFormat;
  readonly #decoder: Decoder;
  readonly #output: AsyncIterator<Buffer>;
  #received = 0;
  #feeding: Promise<void> | undefined;

  private constructor(
    chunks: ChunkSource,
    format: DecodedFormat,
    decoder: Decoder,
  ) {
    this.#chunks = chunks;
    this.#format = format;
    this.#decoder = decoder;
    this.#output = decoder[Symbol.asyncIterator]();
  }

  /** Makes a source that has read nothing yet. */
  static async of(
    chunks: ChunkSource,
    format: DecodedFormat,
  ): Promise<DecodedSource> {
    return new DecodedSource(chunks, format, await decoderOf(format));
  }

  /** @inheritDoc */
  async next(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    this.#feeding ??= this.#feed();
    try {
      const { done, value } = await this.#output.next();
      if (!done) {
        const { buffer, byteOffset, byteLength } = value;
        return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
      }
    } catch (error) {
      throw isDecoderError(error) ? this.#broken(error) : error;
    }
    if (this.#decoder.bytesWritten < this.#received) throw this.#broken();
    return undefined;
  }

  /** @inheritDoc */
  async cancel(reason: unknown): Promise<void> {
    this.#decoder.destroy();
    await this.#chunks.cancel(reason);
  }

  /** Writes all compressed bytes, no faster than they are decoded. */
  async #feed(): Promise<void> {
    const decoder = this.#decoder;
    try {
      for (;;) {
        const chunk = await this.#chunks.next();
        if (decoder.destroyed) return;
        if (chunk === undefined) break;
        this.#received += chunk.length;
        if (!decoder.write(chunk)) await this.#drained();
      }
      decoder.end();
    } catch (error) {
      decoder.destroy(error as Error);
    }
  }

  async #drained(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#decoder.once("drain", resolve).once("close", resolve);
    await promise;
    this.#decoder.off("drain", resolve).off("close", resolve);
  }

  #broken(cause?: Error): MediaCacheError {
    return new MediaCacheError(
      `Cannot download: body must be ${this.#format} as its Content-Encoding says: ` +
        `found ${cause?.message ?? "bytes behind its end"}`,
      cause && { cause },
    );
  }
}

function isDecoderError(error: unknown): error is Error {
  return error instanceof Error && "code" in error &&
    String(error.code).startsWith("Z_");
}
