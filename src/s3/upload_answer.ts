import { connectionError } from "./connection_error.ts";

/** The longest head of an answer, in bytes; more than any store sends. */
const MAX_HEAD_BYTES = 65_536;

/** The longest start of a body that is read, in bytes. */
const MAX_BODY_BYTES = 8192;

const STATUS_REGEXP = /^HTTP\/1\.[01] ([1-5]\d\d)(?: .*)?$/;

/** The end of a chunked body (RFC 9112 §7.1), without trailers. */
const LAST_CHUNK = "0\r\n\r\n";

/** A source of bytes, such as a connection. */
export interface ByteSource {
  /** Fills the start of an array; the number of bytes, or null at the end. */
  read(bytes: Uint8Array): Promise<number | null>;
}

/**
 * Reads the answer to a PUT (RFC 9112): its status, its headers, and as much of its body
 * as tells the reason of a refusal. Chunks are not taken apart: the reason is looked for
 * as text.
 *
 * @throws {Error} If the connection ends before the answer does, or brings no HTTP.
 */
export async function readAnswer(source: ByteSource): Promise<Response> {
  const text = new TextSource(source);
  while (true) {
    const head = await text.until("\r\n\r\n", MAX_HEAD_BYTES);
    const [first = "", ...lines] = head.split("\r\n");
    const status = Number(STATUS_REGEXP.exec(first)?.[1]);
    if (Number.isNaN(status)) {
      throw new Error(
        "Cannot upload: answer must be HTTP/1.1: received other bytes",
      );
    }
    // 100 Continue and its like come before the answer.
    if (status < 200) continue;
    const headers = headersOf(lines);
    const isBodiless = status === 204 || status === 304;
    const body = isBodiless ? null : await bodyOf(text, headers);
    return new Response(body, { status, headers });
  }
}

function headersOf(lines: readonly string[]): Headers {
  const headers = new Headers();
  for (const line of lines) {
    const colon = line.indexOf(":");
    try {
      headers.append(line.slice(0, colon), line.slice(colon + 1));
    } catch {
      continue; // No header: nothing of it is needed.
    }
  }
  return headers;
}

async function bodyOf(text: TextSource, headers: Headers): Promise<string> {
  if (/\bchunked$/i.test(headers.get("transfer-encoding") ?? "")) {
    return await text.until(LAST_CHUNK, MAX_BODY_BYTES);
  }
  const length = headers.get("content-length") ?? "";
  return /^\d+$/.test(length)
    ? await text.take(Math.min(Number(length), MAX_BODY_BYTES))
    : await text.rest(MAX_BODY_BYTES);
}

/** Bytes as text of one character each. */
class TextSource {
  readonly #source: ByteSource;
  readonly #bytes = new Uint8Array(8192);
  #text = "";

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /** The text before a mark, or of this length where the mark does not come. */
  async until(mark: string, most: number): Promise<string> {
    let from = 0;
    while (true) {
      const at = this.#text.indexOf(mark, from);
      if (at !== -1) {
        return this.#cut(at, at + mark.length);
      }
      if (this.#text.length >= most) return this.#cut(most, most);
      from = Math.max(0, this.#text.length - mark.length);
      if (!await this.#more()) throw connectionError();
    }
  }

  /** As much text as that. */
  async take(length: number): Promise<string> {
    while (this.#text.length < length) {
      if (!await this.#more()) throw connectionError();
    }
    return this.#cut(length, length);
  }

  /** All text to the end, and at least this length of a longer one. */
  async rest(most: number): Promise<string> {
    while (this.#text.length < most && await this.#more());
    return this.#cut(most, most);
  }

  async #more(): Promise<boolean> {
    const count = await this.#source.read(this.#bytes);
    if (count === null) return false;
    this.#text += String.fromCharCode(...this.#bytes.subarray(0, count));
    return true;
  }

  #cut(end: number, next: number): string {
    const text = this.#text.slice(0, end);
    this.#text = this.#text.slice(next);
    return text;
  }
}
