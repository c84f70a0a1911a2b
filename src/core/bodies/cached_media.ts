import { type ByteReader, gather, toStream } from "./byte_reader.ts";
import { formatContentDisposition } from "../text/content_disposition.ts";
import { type Entry, infoOf } from "../catalog/entry.ts";
import type { EntryInfo } from "../api/entry_info.ts";
import { Lease, type Lifetime } from "./lease.ts";
import type { Media } from "../api/media.ts";
import type { MediaBody } from "./media_body.ts";
import { isInlineSafe } from "../text/mimetype.ts";

/** What is known of a body. */
export interface MediaFacts {
  /** See {@linkcode Media.key}. */
  readonly key: string;
  /** See {@linkcode Media.url}. */
  readonly url: string;
  /** See {@linkcode Media.mimetype}. */
  readonly mimetype: string;
  /** See {@linkcode Media.filename}. */
  readonly filename: string;
}

/** What sets one Media apart. */
export interface CachedMediaOptions {
  /** Where the bytes come from. */
  source: Media["source"];
  /** The entry, if the bytes are those of one. */
  entry?: Entry;
  /** See {@linkcode Media.stored}. */
  stored: Promise<boolean>;
  /** The cache. */
  lifetime: Lifetime;
  /** Ends this Media alone. */
  signal?: AbortSignal | undefined;
}

/** The Media that this package makes. */
export class CachedMedia implements Media {
  readonly #facts: MediaFacts;
  readonly #body: MediaBody;
  readonly #lease: Lease;
  readonly #source: Media["source"];
  readonly #entry: Entry | undefined;
  readonly #stored: Promise<boolean>;
  /** `body`, until the bytes are read: the same one each time. */
  #stream: ReadableStream<Uint8Array<ArrayBuffer>> | undefined;
  /** `body` from then on. */
  #spent: ReadableStream<Uint8Array<ArrayBuffer>> | undefined;
  #isBegun = false;
  #taken = false;

  /** Wraps a body that is held for this Media. */
  constructor(facts: MediaFacts, body: MediaBody, options: CachedMediaOptions) {
    this.#facts = facts;
    this.#body = body;
    this.#source = options.source;
    this.#entry = options.entry;
    this.#stored = options.stored;
    this.#lease = new Lease(this, body, options.lifetime, options.signal);
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
    return this.#body.size;
  }

  get source(): Media["source"] {
    return this.#source;
  }

  get stored(): Promise<boolean> {
    return this.#stored;
  }

  get entry(): EntryInfo | undefined {
    return this.#entry && infoOf(this.#entry);
  }

  get body(): ReadableStream<Uint8Array<ArrayBuffer>> {
    if (this.#taken) return this.#spent ??= rejecting(alreadyRead());
    return this.#stream ??= toStream(
      () => {
        this.#isBegun = true;
        return this.#read(0, Infinity, false);
      },
      this.#body.whole,
      () => this.#taken = true,
    );
  }

  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    this.#take();
    // A stream that was asked for but not read yet is the one read from here on.
    if (this.#stream !== undefined) {
      return await new Response(this.#stream).bytes();
    }
    return this.#lease.copy() ??
      await gather(this.#read(0, Infinity, false), this.#body.size);
  }

  async blob(): Promise<File> {
    const { mimetype, filename } = this.#facts;
    return new File([await this.bytes()], filename, { type: mimetype });
  }

  response(init: ResponseInit = {}): Response {
    const stream = this.body;
    const { mimetype, filename } = this.#facts;
    const headers = new Headers(init.headers);
    const set = (name: string, value: string) => {
      if (!headers.has(name)) headers.set(name, value);
    };
    set("Content-Type", mimetype);
    if (this.size !== undefined) set("Content-Length", String(this.size));
    const disposition = isInlineSafe(mimetype) ? "inline" : "attachment";
    set("Content-Disposition", formatContentDisposition(disposition, filename));
    set("X-Content-Type-Options", "nosniff");
    if (this.#isTaken) throw alreadyRead();
    const response = new Response(stream, { ...init, headers });
    this.#take();
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
    // Held from here on, also when all else of it has been read by then.
    this.#lease.expect();
    return toStream(() => {
      try {
        return this.#read(start, end, true);
      } finally {
        this.#lease.begun();
      }
    }, this.#body.whole);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#lease.stop(new TypeError("Cannot read media: it was disposed"));
    return Promise.resolve();
  }

  get #isTaken(): boolean {
    return this.#taken || this.#isBegun || (this.#stream?.locked ?? false);
  }

  #take(): void {
    if (this.#isTaken) throw alreadyRead();
    this.#taken = true;
  }

  #read(start: number, end: number, unread: boolean): ByteReader {
    return this.#lease.read(this, start, end, unread);
  }
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
