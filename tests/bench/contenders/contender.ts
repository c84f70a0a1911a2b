/** The operations of a contender. */

/** A cache, or a floor that caches nothing. */
export interface Contender {
  /**
   * Stores a body. A contender that only caches its own fetches fetches the
   * URL.
   */
  put(url: string, data: Uint8Array<ArrayBuffer>): Promise<unknown>;
  /** Reads a stored body whole; returns its length. */
  bytes(url: string): Promise<number>;
  /** Reads a stored body as a stream. */
  stream?(url: string): Promise<ReadableStream<Uint8Array>>;
  /** Downloads a URL that is not stored, to the caller and into the cache. */
  download?(url: string): Promise<Download>;
}

/** A download as its caller gets it. */
export interface Download {
  /** The body. */
  readonly body: ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;
  /** Settles when the body is in the cache. */
  readonly stored: Promise<unknown>;
}

/** Opens a contender on an empty directory that is its own. */
export type OpenContender = (dir: string) => Promise<Contender>;

/** Reads a stream to its end; returns the number of bytes. */
export async function drain(body: Download["body"]): Promise<number> {
  let length = 0;
  if (!(body instanceof ReadableStream)) {
    for await (const chunk of body) length += chunk.length;
    return length;
  }
  const reader = body.getReader();
  for (;;) {
    const { value } = await reader.read();
    if (value === undefined) return length;
    length += value.length;
  }
}
