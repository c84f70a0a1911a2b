import type { Connection } from "./connection.ts";
import { settled } from "./connection.ts";
import { type BodyReader, bodyReader } from "./http_body.ts";
import { readHead, requestBytes } from "./http_head.ts";

/** The words behind a status that a Response takes (RFC 9112, 4). */
const STATUS_TEXT_REGEXP = /^[\t\x20-\x7e\x80-\xff]*$/;

/** A request and its body. */
export interface Outgoing {
  /** The URL. */
  readonly url: URL;
  /** The method. */
  readonly method: string;
  /** The headers of the caller. */
  readonly headers: Headers;
  /** The body. */
  readonly body: Uint8Array | ReadableStream<Uint8Array> | null;
}

/** The end of an exchange. */
export interface ExchangeOptions {
  /** The most bytes of the response's head. */
  readonly maxHeaderBytes: number;
  /** Ends the exchange, and the body of the response. */
  readonly signal: AbortSignal | undefined;
  /** Called when the connection can be used again. */
  readonly release: () => void;
  /** Makes an error of a failure in the body. */
  readonly failure: (error: unknown) => unknown;
}

/**
 * Sends a request on a connection, and returns the response when its head is here. The
 * connection is released or closed when the body has ended.
 *
 * @throws {ProtocolError} If the answer is not HTTP/1.1.
 * @throws The reason of the signal.
 */
export async function exchange(
  connection: Connection,
  outgoing: Outgoing,
  options: ExchangeOptions,
): Promise<Response> {
  const { maxHeaderBytes, signal } = options;
  const upload = outgoing.body instanceof ReadableStream
    ? outgoing.body.getReader()
    : undefined;
  const giveUp = (reason: unknown) => {
    connection.close();
    upload?.cancel(reason).catch(() => {});
  };
  try {
    let isSent = false;
    const sending = send(connection, outgoing, upload).then(() => {
      isSent = true;
    });
    const reading = readHead(connection, maxHeaderBytes);
    // A server may answer and close before it has read all: then the answer counts.
    const failing = upload === undefined
      ? sending.then(() => reading, () => reading)
      : sending.then(() => reading);
    const head = await settled(Promise.race([reading, failing]), signal);
    const reader = bodyReader(connection, head, outgoing.method);
    const end = () => {
      const isReusable = head.isKept && isSent && !connection.isAhead &&
        (reader === undefined || reader.isFramed);
      if (isReusable) options.release();
      else giveUp(undefined);
    };
    if (reader === undefined) end();
    const body = reader === undefined
      ? null
      : bodyStream(connection, reader, end, options);
    const { status, headers } = head;
    const statusText = STATUS_TEXT_REGEXP.test(head.statusText)
      ? head.statusText
      : "";
    const response = new Response(body, { status, statusText, headers });
    const { href } = Object.assign(new URL(outgoing.url), { hash: "" });
    return Object.defineProperty(response, "url", { value: href });
  } catch (error) {
    giveUp(error);
    throw error;
  }
}

/** Sends head and body; a stream by its reader, in chunks (RFC 9112, 7.1). */
async function send(
  connection: Connection,
  outgoing: Outgoing,
  upload: ReadableStreamDefaultReader<Uint8Array> | undefined,
): Promise<void> {
  const { method, body } = outgoing;
  const empty = method === "POST" || method === "PUT" ? 0 : undefined;
  const whole = body instanceof Uint8Array ? body : undefined;
  const length = upload === undefined ? whole?.length ?? empty : "chunked";
  await connection.send(requestBytes({ ...outgoing, length }));
  if (whole !== undefined) await connection.send(whole);
  if (upload === undefined) return;
  const encoder = new TextEncoder();
  for (;;) {
    const { value } = await upload.read();
    if (value === undefined) break;
    if (value.length === 0) continue;
    await connection.send(encoder.encode(`${value.length.toString(16)}\r\n`));
    await connection.send(value);
    await connection.send(encoder.encode("\r\n"));
  }
  await connection.send(encoder.encode("0\r\n\r\n"));
}

/** The body as a stream that reads when it is asked. */
function bodyStream(
  connection: Connection,
  reader: BodyReader,
  end: () => void,
  { signal, failure }: ExchangeOptions,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let abort: () => void;
  return new ReadableStream({
    start(controller) {
      abort = () => {
        connection.close();
        controller.error(signal?.reason);
      };
      signal?.addEventListener("abort", abort, { once: true });
      if (reader.isDone) finish(controller);
    },
    async pull(controller) {
      try {
        const bytes = await reader.next();
        if (bytes !== undefined) controller.enqueue(bytes);
        if (bytes === undefined || reader.isDone) finish(controller);
      } catch (error) {
        signal?.removeEventListener("abort", abort);
        connection.close();
        controller.error(failure(error));
      }
    },
    cancel() {
      signal?.removeEventListener("abort", abort);
      connection.close();
    },
  }, { highWaterMark: 0 });

  function finish(controller: ReadableStreamDefaultController): void {
    signal?.removeEventListener("abort", abort);
    end();
    controller.close();
  }
}
