import {
  type ByteReader,
  gather,
  PIECE_BYTES,
  toStream,
} from "./byte_reader.ts";
import {
  assertLentFileOptions,
  type LentFileOptions,
} from "../api/call_options.ts";
import { formatContentDisposition } from "../text/content_disposition.ts";
import { type Entry, infoOf } from "../catalog/entry.ts";
import type { EntryInfo } from "../api/entry_info.ts";
import { CacheClosedError } from "../api/errors.ts";
import { Lease } from "./lease.ts";
import type { LentFile, Media, MediaResponseInit } from "../api/media.ts";
import type { MediaBody } from "./media_body.ts";
import type { MediaLender } from "./media_lender.ts";
import { answerTo, type MediaRequest } from "../text/media_answer.ts";
import { isInlineSafe } from "../text/mimetype.ts";
import { validatorsOf } from "../text/validators.ts";

/** The facts of a Media that its body does not tell. */
export type MediaFacts = Pick<Media, "key" | "url" | "mimetype" | "filename">;

/** The bytes of a Media, and where they come from. */
export interface MediaOrigin {
  /** The bytes, held for this Media. */
  readonly body: MediaBody;
  /** The source of the bytes. */
  readonly source: Media["source"];
  /** The entry of a hit. */
  readonly entry?: Entry;
  /** Whether the bytes will be on disk; undefined where they are. */
  readonly stored?: Promise<boolean>;
  /** Whether the bytes are older than `maxAgeMs`. */
  readonly isStale?: boolean;
}

/** A committed entry and its bytes, held for one Media. */
export interface Hit extends MediaOrigin {
  readonly source: "memory" | "disk";
  readonly entry: Entry;
}

/** The `stored` of a hit. */
const STORED: Promise<boolean> = Promise.resolve(true);

/** The lifetime of the cache that made a Media. */
export interface Lifetime {
  /** Whether the cache is closed: no reader may begin any more. */
  closed: boolean;
  /** Lends the bodies of Media as files. */
  readonly lender: MediaLender;
}

/** A Media, which holds its body until the bytes are read. */
export class CachedMedia implements Media {
  readonly #facts: MediaFacts;
  readonly #origin: MediaOrigin;
  readonly #lifetime: Lifetime;
  /** Holds the body. Undefined while nothing needs to be given back. */
  #lease: Lease | undefined;
  /** The stream that `body` returns until the bytes are read. */
  #stream: ReadableStream<Uint8Array<ArrayBuffer>> | undefined;
  /** The failed stream that `body` returns from then on. */
  #spent: ReadableStream<Uint8Array<ArrayBuffer>> | undefined;
  #isBegun = false;
  /** Whether a response without the whole body was the read. */
  #isAnswered = false;
  #taken = false;

  /**
   * Takes over a body that is held for this Media.
   *
   * @param signal Ends this Media, and no other.
   */
  constructor(
    facts: MediaFacts,
    origin: MediaOrigin,
    lifetime: Lifetime,
    signal?: AbortSignal,
  ) {
    this.#facts = facts;
    this.#origin = origin;
    this.#lifetime = lifetime;
    // Bytes in RAM need a lease only for readers, and for what stops them.
    if (origin.body.take === undefined || signal !== undefined) {
      this.#lease = new Lease(this, origin.body, signal);
    }
  }

  get key(): string {
    return this.#facts.key;
  }

  get url(): string {
    return this.#facts.url;
  }

  get mimetype(): string {
    return this.#facts.mimetype;
  }

  get filename(): string {
    return this.#facts.filename;
  }

  get size(): number | undefined {
    return this.#origin.body.size;
  }

  get source(): Media["source"] {
    return this.#origin.source;
  }

  get stored(): Promise<boolean> {
    return this.#origin.stored ?? STORED;
  }

  get entry(): EntryInfo | undefined {
    const { entry } = this.#origin;
    return entry && infoOf(entry);
  }

  get stale(): boolean {
    return this.#origin.isStale === true;
  }

  get body(): ReadableStream<Uint8Array<ArrayBuffer>> {
    if (this.#taken) return this.#spent ??= rejecting(alreadyRead());
    return this.#stream ??= toStream(
      () => {
        if (this.#isAnswered) throw alreadyRead();
        this.#isBegun = true;
        return this.#read(0, Infinity, false);
      },
      this.#origin.body.isByteStream,
      () => this.#taken = true,
    );
  }

  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#isTaken) throw alreadyRead();
    this.#taken = true;
    // Read by the stream that `body` has returned already: its holder may lock it.
    if (this.#stream !== undefined) {
      return await new Response(this.#stream).bytes();
    }
    const { body } = this.#origin;
    if (body.take === undefined) {
      return await gather(this.#read(0, Infinity, false), body.size);
    }
    this.#assertReadable();
    const taken = body.take();
    const bytes = taken instanceof Uint8Array ? taken : await taken;
    this.#lease?.check();
    this.#lease?.taken();
    return new Uint8Array(bytes);
  }

  async blob(): Promise<File> {
    const { mimetype, filename } = this.#facts;
    return new File([await this.bytes()], filename, { type: mimetype });
  }

  response(init: MediaResponseInit = {}): Response {
    if (init.request !== undefined) return this.#answer(init.request, init);
    const { mimetype, filename } = this.#facts;
    const type = isInlineSafe(mimetype) ? "inline" : "attachment";
    // In lower case, as `Headers` makes them: `Response` passes a record on as it is.
    const ours = {
      "content-type": mimetype,
      ...(this.size !== undefined && { "content-length": String(this.size) }),
      "content-disposition": formatContentDisposition(type, filename),
      "x-content-type-options": "nosniff",
    };
    const headers = init.headers === undefined
      ? ours
      : withDefaults(init.headers, ours);
    if (this.#isTaken) throw alreadyRead();
    const body = this.#piece() ?? this.body;
    const response = new Response(body, { ...init, headers });
    this.#taken = true;
    return response;
  }

  slice(
    start: number,
    end: number = Infinity,
  ): ReadableStream<Uint8Array<ArrayBuffer>> {
    if (!Number.isSafeInteger(start) || start < 0) {
      throw outOfRange("start", "an integer of at least 0", start);
    }
    if (end !== Infinity && !Number.isSafeInteger(end) || end < start) {
      throw outOfRange("end", "an integer of at least start", end);
    }
    // Hold the body from here on, also if the Media is read to its end meanwhile.
    const lease = this.#hold();
    lease.expect();
    return toStream(() => {
      try {
        return this.#read(start, end, true);
      } finally {
        lease.begun();
      }
    }, this.#origin.body.isByteStream);
  }

  /** Answers a request, by what it asks for. */
  #answer(request: MediaRequest, init: ResponseInit): Response {
    const { mimetype, filename } = this.#facts;
    const { size } = this;
    const { entry } = this.#origin;
    const validators = entry && validatorsOf(entry);
    const { status, headers: ours, range } = answerTo(
      request,
      { mimetype, filename, size, validators },
    );
    const headers = init.headers === undefined
      ? ours
      : withFraming(withDefaults(init.headers, ours), ours);
    if (this.#isTaken) throw alreadyRead();
    if (range === "whole") {
      const body = this.#piece() ?? this.body;
      const response = new Response(body, { ...init, headers });
      this.#taken = true;
      return response;
    }
    const body = range && this.slice(range.start, range.end);
    this.#taken = true;
    this.#isAnswered = true;
    this.#lease?.taken();
    return new Response(body, { status, headers });
  }

  async file(options: LentFileOptions = {}): Promise<LentFile> {
    assertLentFileOptions(options);
    const { copy = false } = options;
    this.#assertReadable();
    const { lender } = this.#lifetime;
    const { key, filename } = this.#facts;
    const { body, entry } = this.#origin;
    const { stored } = this;
    return await this.#hold().during(
      this,
      (signal) =>
        lender.lend({ key, entry, filename, body, stored, copy, signal }),
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#hold().stop(new TypeError("Cannot read media: it was disposed"));
    return Promise.resolve();
  }

  get #isTaken(): boolean {
    return this.#taken || this.#isBegun || (this.#stream?.locked ?? false);
  }

  /** Throws if the Media was stopped, or the cache is closed. */
  #assertReadable(): void {
    this.#lease?.check();
    if (this.#lifetime.closed) throw new CacheClosedError();
  }

  /**
   * The bytes of a small hit in RAM, for a `Response`, which copies them: served in one
   * piece, 64 KiB take half as long as a stream of them.
   */
  #piece(): Uint8Array<ArrayBuffer> | undefined {
    const { body, source } = this.#origin;
    const isHeld = this.#lease !== undefined || this.#stream !== undefined;
    const isSmall = body.size !== undefined && body.size <= PIECE_BYTES;
    if (source === "download" || isHeld || !isSmall) return undefined;
    const taken = this.#lifetime.closed ? undefined : body.take?.();
    // Bytes of shared memory were copied when they came.
    return taken instanceof Uint8Array
      ? taken as Uint8Array<ArrayBuffer>
      : undefined;
  }

  #hold(): Lease {
    return this.#lease ??= new Lease(this, this.#origin.body, undefined);
  }

  #read(start: number, end: number, unread: boolean): ByteReader {
    this.#assertReadable();
    return this.#hold().read(this, start, end, unread);
  }
}

/** The caller's headers, and those of ours that the caller did not give. */
function withDefaults(
  given: HeadersInit,
  ours: Readonly<Record<string, string>>,
): Headers {
  const headers = new Headers(given);
  for (const [name, value] of Object.entries(ours)) {
    if (!headers.has(name)) headers.set(name, value);
  }
  return headers;
}

/** The headers that tell which bytes are sent: those of ours alone. */
function withFraming(
  headers: Headers,
  ours: Readonly<Record<string, string>>,
): Headers {
  for (const name of ["content-length", "content-range"]) {
    const value = ours[name];
    if (value === undefined) headers.delete(name);
    else headers.set(name, value);
  }
  return headers;
}

function rejecting(error: Error): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({ start: (controller) => controller.error(error) });
}

function alreadyRead(): TypeError {
  return new TypeError("Cannot read media: already read, call get() again");
}

function outOfRange(name: string, wanted: string, value: number): RangeError {
  return new RangeError(
    `Cannot slice media: ${name} must be ${wanted}: received ${value}`,
  );
}
