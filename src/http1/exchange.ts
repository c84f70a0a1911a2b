import type { Connection } from "./connection.ts";
import { type BodyReader, bodyReader } from "./http_body.ts";
import { readHead, requestBytes } from "./http_head.ts";
import { settled } from "./settled.ts";

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
  /** Bytes of a stream; without them it is sent in chunks (RFC 9112, 7.1). */
  readonly length?: number;
}

/** The end of an exchange. */
export interface ExchangeOptions {
  /** The most bytes of the response's head. */
  readonly maxHeaderBytes: number;
  /** Ends the exchange, and the body of the response. */
  readonly signal: AbortSignal | undefined;
  /** Called when the connection can be used again; without it, it is closed. */
  readonly release?: () => void;
  /** Makes an error of a failure of the connection, in head or body of the response. */
  readonly failure: (error: unknown) => unknown;
}

/**
 * Sends a request on a connection, and returns the response when its head is here, also
 * before the body is sent. The connection is released or closed when the response's body
 * has ended; what is left of the request's body is cancelled.
 *
 * @throws What `failure` makes of a connection that fails, or of an answer that is not
 * HTTP/1.1; the reason of the signal; the error of the request's body.
 */
export async function exchange(
  connection: Connection,
  outgoing: Outgoing,
  options: ExchangeOptions,
): Promise<Response> {
  const { maxHeaderBytes, signal, release, failure } = options;
  const upload = outgoing.body instanceof ReadableStream
    ? outgoing.body.getReader()
    : undefined;
  const giveUp = (reason: unknown) => {
    connection.close();
    upload?.cancel(reason).catch(() => {});
  };
  try {
    let isSent = false;
    const reading = readHead(connection, maxHeaderBytes).then((head) => ({
      head,
      reader: bodyReader(connection, head, outgoing.method),
    })).catch((error) => {
      throw failure(error);
    });
    // A server may answer and close before it has read all: then the answer counts.
    const sending = send(connection, outgoing, upload, release === undefined)
      .then((isWhole) => {
        isSent = isWhole;
        return reading;
      });
    const { head, reader } = await settled(
      Promise.race([reading, sending]),
      signal,
    );
    const end = () => {
      const isReusable = head.isKept && isSent && !connection.isAhead &&
        (reader === undefined || reader.isFramed);
      if (isReusable && release !== undefined) release();
      else giveUp(undefined);
    };
    if (reader === undefined) end();
    const body = reader === undefined
      ? null
      : bodyStream(reader, end, giveUp, options);
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

/** Sends head and body; returns whether the connection took all. */
async function send(
  connection: Connection,
  outgoing: Outgoing,
  upload: ReadableStreamDefaultReader<Uint8Array> | undefined,
  isLast: boolean,
): Promise<boolean> {
  const { method, body } = outgoing;
  const empty = method === "POST" || method === "PUT" ? 0 : undefined;
  const whole = body instanceof Uint8Array ? body : undefined;
  const length = upload === undefined
    ? whole?.length ?? empty
    : outgoing.length ?? "chunked";
  const head = requestBytes({ ...outgoing, length, isLast });
  if (!await connection.send(head)) return false;
  if (whole !== undefined) return await connection.send(whole);
  if (upload === undefined) return true;
  return typeof length === "number"
    ? await sendSized(connection, upload, length)
    : await sendChunks(connection, upload);
}

/** Sends a stream that must have so many bytes. */
async function sendSized(
  connection: Connection,
  upload: ReadableStreamDefaultReader<Uint8Array>,
  length: number,
): Promise<boolean> {
  let sent = 0;
  for (;;) {
    const { value } = await upload.read();
    sent += value?.length ?? 0;
    if (value === undefined || sent > length) break;
    if (!await connection.send(value)) return false;
  }
  if (sent === length) return true;
  throw new Error(
    `Cannot upload: body must have ${length} bytes: received ${
      sent > length ? "more" : sent
    }`,
  );
}

/** Sends a stream in chunks. */
async function sendChunks(
  connection: Connection,
  upload: ReadableStreamDefaultReader<Uint8Array>,
): Promise<boolean> {
  const encoder = new TextEncoder();
  const text = (line: string) => connection.send(encoder.encode(line));
  for (;;) {
    const { value } = await upload.read();
    if (value === undefined) return await text("0\r\n\r\n");
    if (value.length === 0) continue;
    const isSent = await text(`${value.length.toString(16)}\r\n`) &&
      await connection.send(value) && await text("\r\n");
    if (!isSent) return false;
  }
}

/** The body as a stream that reads when it is asked. */
function bodyStream(
  reader: BodyReader,
  end: () => void,
  giveUp: (reason: unknown) => void,
  { signal, failure }: ExchangeOptions,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let abort: () => void;
  return new ReadableStream({
    start(controller) {
      abort = () => {
        giveUp(signal?.reason);
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
        const reason = failure(error);
        giveUp(reason);
        controller.error(reason);
      }
    },
    cancel(reason) {
      signal?.removeEventListener("abort", abort);
      giveUp(reason);
    },
  }, { highWaterMark: 0 });

  function finish(controller: ReadableStreamDefaultController): void {
    signal?.removeEventListener("abort", abort);
    end();
    controller.close();
  }
}
