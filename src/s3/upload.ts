import { connectionError } from "./connection_error.ts";
import { readAnswer } from "./upload_answer.ts";

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
 * Sends bodies of known length on connections of their own (HTTP/1.1, RFC 9112).
 *
 * `fetch` sends a stream in chunks without a `Content-Length`, which object stores refuse
 * with 411, or needs the whole body in memory: 822 MB for 256 MiB, measured with Deno 2.9.6.
 * `node:https` of that release asks for all of `--allow-sys` and `--allow-env`, and does not
 * know the certificates of `--cert`.
 */
export class Uploads {
  readonly #running = new Set<AbortController>();

  /**
   * Sends a body at the pace of the connection.
   *
   * @param upload The request.
   * @param signal Aborts it at any step.
   * @returns The answer with the start of its body. Redirects are not followed.
   */
  async send(upload: Upload, signal: AbortSignal): Promise<Response> {
    signal.throwIfAborted();
    const closing = new AbortController();
    this.#running.add(closing);
    try {
      const stop = AbortSignal.any([signal, closing.signal]);
      return await exchange(upload, stop);
    } finally {
      this.#running.delete(closing);
    }
  }

  /** Ends the uploads that run; they reject. */
  close(): void {
    for (const each of this.#running) each.abort(connectionError());
  }
}

async function exchange(upload: Upload, stop: AbortSignal): Promise<Response> {
  const connection = await connected(upload.url, stop);
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(stop.reason);
  stop.addEventListener("abort", abort, { once: true });
  if (stop.aborted) abort();
  const over = new AbortController();
  const written = write(connection, upload, over.signal);
  try {
    // A store may refuse before it has read the body. A connection that fails is told by
    // the reading side, where an answer may still wait.
    return await Promise.race([
      readAnswer(connection).catch((error) => {
        throw stop.aborted ? stop.reason : told(error);
      }),
      written.then(() => aborted.promise),
      aborted.promise,
    ]);
  } finally {
    stop.removeEventListener("abort", abort);
    over.abort();
    connection.close();
    await written.catch(() => {});
  }
}

/** Connects; a connection that comes behind an abort is closed. */
async function connected(url: URL, stop: AbortSignal): Promise<Deno.Conn> {
  const hostname = url.hostname.replace(/^\[|\]$/g, "");
  const connecting = url.protocol === "https:"
    ? Deno.connectTls({
      ...{ hostname, port: Number(url.port || 443) },
      alpnProtocols: ["http/1.1"],
    })
    : Deno.connect({ hostname, port: Number(url.port || 80) });
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(stop.reason);
  stop.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([connecting, aborted.promise]);
  } catch (error) {
    connecting.then((connection) => connection.close(), () => {});
    throw stop.aborted ? stop.reason : connectionError(error);
  } finally {
    stop.removeEventListener("abort", abort);
  }
}

/** Sends head and body, until all is sent, the connection fails, or the exchange is over. */
async function write(
  connection: Deno.Conn,
  { url, headers, size, open }: Upload,
  over: AbortSignal,
): Promise<void> {
  const head = [
    `PUT ${url.pathname}${url.search} HTTP/1.1`,
    `host: ${url.host}`,
    "connection: close",
    `content-length: ${size}`,
    `user-agent: ${navigator.userAgent}`,
    ...[...headers].map(([name, value]) => `${name}: ${value}`),
  ].join("\r\n");
  const reader = open().getReader();
  // Ends a read that waits, and is without effect behind the end of the body.
  over.addEventListener("abort", () => {
    reader.cancel().catch(() => {});
  }, { once: true });
  const first = new TextEncoder().encode(`${head}\r\n\r\n`);
  if (!await writeAll(connection, first)) return;
  let sent = 0;
  while (true) {
    const { done, value } = await reader.read();
    if (over.aborted) return;
    sent += value?.length ?? 0;
    if (done || sent > size) break;
    if (!await writeAll(connection, value)) return;
  }
  if (sent === size) return;
  throw new Error(
    `Cannot upload: body must have ${size} bytes: received ${
      sent > size ? "more" : sent
    }`,
  );
}

/** Whether all bytes were written; false where the connection has failed or was closed. */
async function writeAll(
  connection: Deno.Conn,
  bytes: Uint8Array,
): Promise<boolean> {
  try {
    for (let at = 0; at < bytes.length;) {
      at += await connection.write(bytes.subarray(at));
    }
    return true;
  } catch {
    return false;
  }
}

/** Errors of the answer tell what they are; those of the connection have a code. */
function told(error: unknown): unknown {
  const isOurs = error instanceof Error && error.message.startsWith("Cannot ");
  return isOurs ? error : connectionError(error);
}
