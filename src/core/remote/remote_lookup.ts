import type { ResolvedRemote } from "../api/remote_option.ts";
import type { RemoteEntry, RemoteObject } from "../api/remote_tier.ts";
import { assertBodyData } from "../bodies/body_data.ts";
import { PIECE_BYTES } from "../bodies/byte_reader.ts";
import { chunkSource } from "../bodies/chunk_source.ts";
import { HOST_REASONS } from "../gif/gif_conversion.ts";
import { safeFilename } from "../text/filename.ts";
import { KEY_REGEXP } from "../text/key.ts";
import { cleanMimetype } from "../text/mimetype.ts";
import { startTimer } from "../async/timer.ts";
import { untilAborted } from "../async/until_aborted.ts";
import { CheckedObject } from "./checked_object.ts";
import type { RemoteCalls } from "./remote_calls.ts";
import type { RemoteCounters } from "./remote_counters.ts";
import { RemoteTimeout } from "./remote_timeout.ts";

/** Bodies up to this many bytes are checked as a whole before they are handed out. */
const MAX_WHOLE_BYTES = PIECE_BYTES;

/** The longest reason why a GIF was kept that is taken from an object, in UTF-16 units. */
const MAX_REASON_CHARS = 500;

/** The longest validator that is taken from an object, in UTF-16 units. */
const MAX_VALIDATOR_CHARS = 256;

/** An object that was found, and its bytes: all of them and checked, or a stream. */
export interface FoundObject {
  /** The facts, made safe. */
  readonly entry: RemoteEntry;
  /** The bytes. A stream has brought its first bytes. */
  readonly body: Uint8Array<ArrayBuffer> | CheckedObject;
}

/** An object whose first bytes have come. */
interface BegunObject extends FoundObject {
  readonly body: CheckedObject;
}

/**
 * The result of a lookup: an object, or why there is none. "unusable" is an object that this
 * cache does not take, "wrong" an object with wrong bytes, "unknown" no answer.
 */
export type LookupResult =
  | FoundObject
  | "none"
  | "unusable"
  | "wrong"
  | "unknown";

/** The rules by which an object is usable here. */
export interface LookupRules {
  /** The largest body, in bytes. */
  readonly maxBytes: number;
  /** The longest pause between two bytes of a body, in milliseconds. */
  readonly idleTimeoutMs: number;
  /** Whether videos that were made of GIFs are usable. */
  readonly takesConverted: boolean;
  /** The age from which an object counts as none, in milliseconds: the origin is asked. */
  readonly maxAgeMs: number;
}

/** Finds objects: their first bytes come within the time of a lookup. */
export class RemoteLookup {
  readonly #remote: ResolvedRemote;
  readonly #calls: RemoteCalls;
  readonly #counters: RemoteCounters;
  readonly #rules: LookupRules;
  readonly #onWrong: (key: string) => void;

  /** @param onWrong Called for an object whose bytes are not those of its digest. */
  constructor(
    remote: ResolvedRemote,
    calls: RemoteCalls,
    counters: RemoteCounters,
    rules: LookupRules,
    onWrong: (key: string) => void,
  ) {
    this.#remote = remote;
    this.#calls = calls;
    this.#counters = counters;
    this.#rules = rules;
    this.#onWrong = onWrong;
  }

  /**
   * Finds an object.
   *
   * @throws {unknown} The reason of the signal.
   */
  async find(key: string, signal: AbortSignal): Promise<LookupResult> {
    const timeoutMs = this.#remote.limits.lookupTimeoutMs;
    const outcome = await this.#calls.run(
      (limit) => this.#get(key, limit),
      { timeoutMs, signal },
    );
    if (outcome === "skipped") this.#counters.skipped++;
    if (typeof outcome === "string") return "unknown";
    const { value } = outcome;
    const isSmall = typeof value === "object" &&
      value.entry.size <= MAX_WHOLE_BYTES;
    return isSmall ? await this.#whole(value, signal) : value;
  }

  /** Reads the whole of an object that has brought its first bytes; the rest has a time of its own. */
  async #whole(
    { entry, body }: BegunObject,
    signal: AbortSignal,
  ): Promise<LookupResult> {
    const { idleTimeoutMs } = this.#rules;
    const limit = new AbortController();
    const onAbort = () => limit.abort(signal.reason);
    const stopTimer = startTimer(
      idleTimeoutMs,
      () => limit.abort(new RemoteTimeout("end", idleTimeoutMs)),
    );
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      signal.throwIfAborted();
      return { entry, body: await untilAborted(body.whole(), limit.signal) };
    } catch (error) {
      body.cancel(error);
      signal.throwIfAborted();
      if (limit.signal.aborted) this.#calls.failed(error);
      return body.fault === "wrong" ? "wrong" : "unknown";
    } finally {
      stopTimer();
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Finds an object, and waits for its first bytes. */
  async #get(
    key: string,
    limit: AbortSignal,
  ): Promise<BegunObject | Exclude<LookupResult, FoundObject>> {
    const object = await this.#remote.tier.get(key, limit);
    if (object === undefined || object === null) return "none";
    const entry = safeEntry(object);
    const body = entry && this.#body(key, object, entry);
    if (body === undefined || entry === undefined) {
      cancel(object);
      this.#wrong(key);
      return "wrong";
    }
    const { maxBytes, takesConverted, maxAgeMs } = this.#rules;
    if (Date.now() - entry.storedAt >= maxAgeMs) {
      body.cancel(undefined);
      return "none";
    }
    const isUsable = entry.size <= maxBytes &&
      (takesConverted || entry.sourceMimetype === undefined);
    if (!isUsable) {
      body.cancel(undefined);
      return "unusable";
    }
    const stop = () => void body.cancel(limit.reason);
    limit.addEventListener("abort", stop, { once: true });
    try {
      limit.throwIfAborted();
      await body.begin();
      limit.throwIfAborted();
      return { entry, body };
    } catch (error) {
      body.cancel(error);
      if (body.fault === "wrong") return "wrong";
      throw error;
    } finally {
      limit.removeEventListener("abort", stop);
    }
  }

  #body(
    key: string,
    { body }: RemoteObject,
    entry: RemoteEntry,
  ): CheckedObject | undefined {
    try {
      assertBodyData("download", body);
    } catch {
      return undefined;
    }
    const counters = this.#counters;
    const object: CheckedObject = new CheckedObject(
      entry,
      chunkSource(body, false, entry.size),
      {
        idleTimeoutMs: this.#rules.idleTimeoutMs,
        downTimeoutMs: this.#remote.limits.lookupTimeoutMs / 2,
        isDown: () => this.#calls.isDown,
      },
      {
        onBytes: (bytes) => void (counters.bytesReceived += bytes),
        onFault: (fault, error) => {
          if (fault === "wrong") return this.#wrong(key);
          // Before the first bytes the lookup itself fails, and counts that.
          if (object.isBegun) this.#calls.failed(error);
        },
        onContinued: () => void counters.continued++,
      },
    );
    return object;
  }

  #wrong(key: string): void {
    this.#counters.corrupt++;
    this.#onWrong(key);
  }
}

/** The facts of an object, made safe; undefined where they can't be of a stored body. */
function safeEntry({ entry }: RemoteObject): RemoteEntry | undefined {
  if (typeof entry !== "object" || entry === null) return undefined;
  const { mimetype, filename, size, sha256, storedAt } = entry;
  const { sourceMimetype, sourceSize, sourceSha256, conversion } = entry;
  const { etag, lastModified } = entry;
  const isWhole = typeof mimetype === "string" &&
    typeof filename === "string" && Number.isSafeInteger(size) && size > 0 &&
    typeof sha256 === "string" && KEY_REGEXP.test(sha256);
  if (!isWhole) return undefined;
  return {
    mimetype: cleanMimetype(mimetype),
    filename: safeFilename(filename),
    size,
    sha256,
    storedAt: isCount(storedAt) ? storedAt : 0,
    ...(typeof sourceMimetype === "string" && {
      sourceMimetype: cleanMimetype(sourceMimetype),
    }),
    ...(isCount(sourceSize) && { sourceSize }),
    ...(isText(sourceSha256) && { sourceSha256 }),
    ...(isText(etag) && { etag }),
    ...(isText(lastModified) && { lastModified }),
    ...(typeof conversion === "string" && !HOST_REASONS.has(conversion) && {
      conversion: conversion.slice(0, MAX_REASON_CHARS).toWellFormed(),
    }),
  };
}

/** Whether a value is a text for which a sidecar has room. */
function isText(value: unknown): value is string {
  return typeof value === "string" && value.length <= MAX_VALIDATOR_CHARS &&
    value.isWellFormed();
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

/** Cancels a body that is not read, without awaiting its end. */
function cancel({ body }: RemoteObject): void {
  try {
    body.cancel().catch(() => {});
  } catch {
    // The body is no stream, and holds nothing.
  }
}
