import { type ClientRequest, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { errorFacts } from "../core/text/failure_reason.ts";

/** The longest start of an answer's body that is kept, in UTF-16 code units. */
const MAX_ANSWER_LENGTH = 8192;

/** A PUT whose body is a stream of known length. */
export interface Upload {
  /** The address, http or https. */
  readonly url: URL;
  /** The headers, signed; without `content-length`. */
  readonly headers: Headers;
  /** Bytes of the body. */
  readonly size: number;
  /** Opens the body, which is read to its end or cancelled. */
  readonly open: () => ReadableStream<Uint8Array>;
}

/**
 * Sends bodies of known length by `node:http`. `fetch` sends a stream in chunks without a
 * `Content-Length`, which object stores refuse with 411, or needs the whole body in memory
 * (measured with Deno 2.9.6: 822 MB for 256 MiB).
 *
 * Each upload has a connection of its own, which is closed behind it.
 */
export class Uploads {
  readonly #running = new Set<ClientRequest>();

  /**
   * Sends a body at the pace of the connection.
   *
   * @param upload The request.
   * @param signal Aborts it at any step.
   * @returns The answer with the start of its body. Redirects are not followed.
   */
  async send(upload: Upload, signal: AbortSignal): Promise<Response> {
    signal.throwIfAborted();
    const { url, headers, size } = upload;
    const request = (url.protocol === "https:" ? requestHttps : requestHttp)(
      url,
      {
        method: "PUT",
        agent: false,
        headers: {
          ...Object.fromEntries(headers),
          "content-length": String(size),
        },
      },
    );
    const { promise, resolve, reject } = Promise.withResolvers<Response>();
    const ended = Promise.withResolvers<void>();
    const abort = () => reject(signal.reason);
    this.#running.add(request);
    signal.addEventListener("abort", abort, { once: true });
    request.on("error", (error) => {
      reject(connectionError(error));
      ended.resolve();
    });
    request.on("close", () => {
      reject(connectionError(undefined));
      ended.resolve();
    });
    request.on("response", (response) => {
      // An early answer is a refusal: nobody reads the rest of the body.
      ended.resolve();
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => {
        if (text.length < MAX_ANSWER_LENGTH) text += part;
      });
      response.on("error", (error) => reject(connectionError(error)));
      response.on("end", () => {
        resolve(answerOf(response.statusCode, response.headers, text));
      });
    });
    const written = writeBody(request, upload, ended.promise).catch(reject);
    try {
      return await promise;
    } finally {
      signal.removeEventListener("abort", abort);
      this.#running.delete(request);
      ended.resolve();
      request.destroy();
      await written;
    }
  }

  /** Ends the uploads that run; they reject. */
  close(): void {
    for (const request of this.#running) request.destroy();
  }
}

/**
 * Writes a body at the pace of the connection. When the request has ended, the rest of the
 * body is cancelled.
 */
async function writeBody(
  request: ClientRequest,
  { size, open }: Upload,
  ended: Promise<void>,
): Promise<void> {
  const reader = open().getReader();
  let hasEnded = false;
  ended.then(() => {
    hasEnded = true;
    // Ends a read that waits, and is without effect behind the end of the body.
    reader.cancel().catch(() => {});
  });
  let sent = 0;
  while (true) {
    const { done, value } = await reader.read();
    if (hasEnded) return;
    sent += value?.length ?? 0;
    if (done || sent > size) break;
    if (request.write(value)) continue;
    const drained = Promise.withResolvers<void>();
    request.once("drain", drained.resolve);
    await Promise.race([drained.promise, ended]);
  }
  if (sent === size) {
    request.end();
    return;
  }
  throw new Error(
    `Cannot upload: body must have ${size} bytes: received ${
      sent > size ? "more" : sent
    }`,
  );
}

function answerOf(
  status = 500,
  nodeHeaders: Record<string, string | string[] | undefined>,
  text: string,
): Response {
  const headers = new Headers();
  for (const [name, value] of Object.entries(nodeHeaders)) {
    if (value !== undefined) headers.set(name, String(value));
  }
  const isBodiless = status < 200 || status === 204 || status === 304;
  return isBodiless
    ? new Response(null, { status: status < 200 ? 500 : status, headers })
    : new Response(text, { status, headers });
}

/**
 * Makes the error of a connection that failed: its code, without the address that the
 * messages of `fetch` hold.
 */
export function connectionError(error: unknown): Error {
  const { name, code } = errorFacts(error);
  const reason = code ?? (error === undefined ? "ECONNRESET" : name);
  return Object.assign(
    new Error(
      `Cannot reach object store: connection must last until the answer: received ${reason}`,
    ),
    code === undefined && error !== undefined ? {} : { code: reason },
  );
}
