/** The bytes that a downloader or a caller of `put()` gives. */
export type BodyData = Uint8Array | Blob | ReadableStream<Uint8Array>;

/**
 * Checks data before it is read. Looks at shapes, not classes: npm's undici, node-fetch and polyfills bring classes
 * of their own.
 *
 * @param action The action that the message names: "put" or "download".
 * @param data The data to check.
 * @throws {TypeError} If the data can't be read; the message names its kind and never its value.
 */
export function assertBodyData(
  action: string,
  data: unknown,
): asserts data is BodyData {
  if (data instanceof Uint8Array) {
    if (!(data.buffer instanceof ArrayBuffer) || !data.buffer.detached) return;
    throw new TypeError(
      `Cannot ${action}: data must be bytes: received a detached ${
        describe(data)
      }`,
    );
  }
  if (isBlob(data)) return;
  if (!isStream(data)) {
    throw new TypeError(
      `Cannot ${action}: data must be a Uint8Array, Blob or ReadableStream: received ${
        describe(data)
      }`,
    );
  }
  if (data.locked) {
    throw new TypeError(
      `Cannot ${action}: data must be unread and unlocked: received a stream in use`,
    );
  }
}

/**
 * Asserts that bytes are still there: a source may detach them after it gave them, and
 * none would look like the end. Ask after each wait; the bytes were at least one.
 *
 * @throws {TypeError} If the bytes were detached.
 */
export function assertAttached(bytes: Uint8Array): void {
  if (bytes.length > 0) return;
  throw new TypeError(
    `Cannot read body: a chunk must keep its bytes: received a detached ${
      describe(bytes)
    }`,
  );
}

/** The number of bytes, where known before they are read. */
export function lengthOf(data: BodyData): number | undefined {
  if (data instanceof Uint8Array) return data.byteLength;

  return isBlob(data) ? data.size : undefined;
}

/** Whether a value is a stream of the Streams standard, of any implementation. */
export function isStream(value: unknown): value is ReadableStream<Uint8Array> {
  return isObject<ReadableStream>(value) &&
    typeof value.getReader === "function";
}

/** Whether a value is a Blob of any implementation. */
export function isBlob(value: unknown): value is Blob {
  return isObject<Blob>(value) && typeof value.stream === "function" &&
    typeof value.size === "number" &&
    typeof value.type === "string";
}

/** Narrows a value to an object that may have the members of `T`, of any type. */
export function isObject<T>(
  value: unknown,
): value is { readonly [Member in keyof T]?: unknown } {
  return typeof value === "object" && value !== null;
}

/** Names the kind of a value, never the value, which could be a URL. */
export function describe(value: unknown): string {
  if (value === null) return "null";
  if (typeof value !== "object") return typeof value;

  return value.constructor?.name ||
    Object.prototype.toString.call(value).slice("[object ".length, -1);
}
