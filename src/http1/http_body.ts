import { type Connection, ProtocolError } from "./connection.ts";
import type { ResponseHead } from "./http_head.ts";

/** The longest line before a chunk, or behind the last one, in bytes. */
const MAX_LINE_BYTES = 8_192;

/** The most lines behind the last chunk. */
const MAX_TRAILERS = 99;

/** Statuses without a body (RFC 9112, 6.3). */
const EMPTY_STATUSES: ReadonlySet<number> = new Set([204, 205, 304]);

/** The bytes of a response's body, without what frames them. */
export interface BodyReader {
  /** Whether all bytes were returned. */
  readonly isDone: boolean;
  /** Whether the end is known, so that the connection can be used again. */
  readonly isFramed: boolean;
  /**
   * Returns the next bytes, or undefined at the end.
   *
   * @throws {ProtocolError} If the connection ends before, or the frame is malformed.
   */
  next(): Promise<Uint8Array<ArrayBuffer> | undefined>;
}

/**
 * Returns the reader of a body, or undefined for a response without one.
 *
 * @throws {ProtocolError} If the headers do not tell the length, or contradict each other.
 */
export function bodyReader(
  connection: Connection,
  { status, headers }: ResponseHead,
  method: string,
): BodyReader | undefined {
  if (method === "HEAD" || EMPTY_STATUSES.has(status)) return undefined;
  const coding = headers.get("transfer-encoding");
  if (coding !== null) {
    if (coding.toLowerCase() === "chunked") return new ChunkedBody(connection);
    throw new ProtocolError("transfer-encoding must be chunked: it is another");
  }
  const length = headers.get("content-length");
  if (length === null) return new EndlessBody(connection);
  const values = new Set(length.split(",").map((each) => each.trim()));
  const [value = ""] = values;
  const bytes = Number(value);
  if (
    values.size === 1 && /^\d+$/.test(value) && Number.isSafeInteger(bytes)
  ) return new SizedBody(connection, bytes);
  throw new ProtocolError("content-length must be a number: it is not");
}

/** A body of a length that is told before. */
class SizedBody implements BodyReader {
  readonly isFramed = true;
  readonly #connection: Connection;
  #left: number;

  constructor(connection: Connection, bytes: number) {
    this.#connection = connection;
    this.#left = bytes;
  }

  get isDone(): boolean {
    return this.#left === 0;
  }

  async next(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (this.isDone) return undefined;
    const bytes = await received(this.#connection, this.#left);
    this.#left -= bytes.length;
    return bytes;
  }
}

/** A body in chunks (RFC 9112, 7.1). */
class ChunkedBody implements BodyReader {
  readonly isFramed = true;
  isDone = false;
  readonly #connection: Connection;
  /** Bytes that are left of a chunk; undefined before its first line. */
  #left: number | undefined;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  async next(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (this.isDone) return undefined;
    this.#left ??= await this.#size();
    if (this.#left === 0) {
      await this.#skipTrailers();
      this.isDone = true;
      return undefined;
    }
    const bytes = await received(this.#connection, this.#left);
    this.#left -= bytes.length;
    if (this.#left > 0) return bytes;
    const end = await this.#connection.receiveLine(MAX_LINE_BYTES);
    if (end !== "") throw new ProtocolError("a chunk must end with its line");
    this.#left = undefined;
    return bytes;
  }

  async #size(): Promise<number> {
    const line = await this.#connection.receiveLine(MAX_LINE_BYTES);
    const [, digits] = /^([\da-f]{1,13})[ \t]*(?:;.*)?$/i.exec(line) ?? [];
    if (digits !== undefined) return Number.parseInt(digits, 16);
    throw new ProtocolError("a chunk must begin with its length");
  }

  async #skipTrailers(): Promise<void> {
    for (let lines = 0; lines <= MAX_TRAILERS; lines++) {
      const line = await this.#connection.receiveLine(MAX_LINE_BYTES);
      if (line === "") return;
    }
    throw new ProtocolError("there are too many trailers");
  }
}

/** A body that ends with the connection. */
class EndlessBody implements BodyReader {
  readonly isFramed = false;
  isDone = false;
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  async next(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const bytes = await this.#connection.receive();
    this.isDone = bytes === undefined;
    return bytes;
  }
}

/** The next bytes, at most so many; others are given back. */
async function received(
  connection: Connection,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await connection.receive();
  if (bytes === undefined) {
    throw new ProtocolError("the body has ended too early", "ECONNRESET");
  }
  if (bytes.length <= maxBytes) return bytes;
  connection.giveBack(bytes.subarray(maxBytes));
  return bytes.subarray(0, maxBytes);
}
