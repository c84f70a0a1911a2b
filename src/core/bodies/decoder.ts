import { assertAttached } from "./body_data.ts";
import type { Buffer } from "node:buffer";
import type { Transform } from "node:stream";
import { MediaCacheError } from "../api/errors.ts";
import type { ChunkSource } from "./chunk_source.ts";

/** A format of compressed bytes. Bodies are not decoded from `br`: nothing shows that such a body was cut. */
export type CompressedFormat = "gzip" | "zlib" | "deflate-raw" | "br";

/** A format from which bodies are decoded. */
export type DecodedFormat = Exclude<CompressedFormat, "br">;

/** The longest decoded chunk, in bytes. */
const CHUNK_BYTES = 65_536;

// Node's streams stop after each CHUNK_BYTES until they are read. `DecompressionStream` makes a single chunk of all
// that a chunk decodes to (50 KB become 50 MB), and accepts zlib data without its checksum.
async function decoderOf(format: CompressedFormat): Promise<Decoder> {
  // Loaded on demand: the first import takes some 40 ms.
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
 * @returns At most 64 KiB of decoded bytes, maybe none yet; undefined when the bytes are not of the format.
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
  // `end()` was not called, so bytes are left over. A checksum has proved the bytes before.
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

/** Decodes a compressed body, which must end where the compressed data ends. */
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

  /** Makes a source of decoded bytes. */
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

  /** Writes all compressed bytes to the decoder, no faster than they are decoded. */
  async #feed(): Promise<void> {
    const decoder = this.#decoder;
    try {
      for (;;) {
        const chunk = await this.#chunks.next();
        if (decoder.destroyed) return;
        if (chunk === undefined) break;
        assertAttached(chunk);
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
