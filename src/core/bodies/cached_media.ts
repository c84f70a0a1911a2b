import { type ByteReader, gather, toStream } from "./byte_reader.ts";
import { formatContentDisposition } from "../text/content_disposition.ts";
import { type Entry, infoOf } from "../catalog/entry.ts";
import type { EntryInfo } from "../api/entry_info.ts";
import { Lease, type Lifetime } from "./lease.ts";
import type { Media } from "../api/media.ts";
import type { MediaBody } from "./media_body.ts";
import { isInlineSafe } from "../text/mimetype.ts";

/** The facts of a Media that its body does not tell. */
export type MediaFacts = Pick<Media, "key" | "url" | "mimetype" | "filename">;

/** The traits of a Media beside facts and body. */
export interface CachedMediaOptions {
  /** The source of the bytes. */
  source: Media["source"];
  /** The entry of a hit. */
  entry?: Entry;
  /** Whether the bytes are, or will be, on disk. */
  stored: Promise<boolean>;
  /** The lifetime of the cache. */
  lifetime: Lifetime;
  /** Ends this Media, and no other. */
  signal?: AbortSignal | undefined;
}

/** A Media with a lease on its body. */
export class CachedMedia implements Media {
  readonly #facts: MediaFacts;
  readonly #body: MediaBody;
  readonly #lease: Lease;
  readonly #source: Media["source"];
  readonly #entry: Entry | undefined;
  readonly #stored: Promise<boolean>;
  /** The stream that `body` returns until the bytes are read. */
  #stream: ReadableStream<Uint8Array<ArrayBuffer>> | undefined;
  /** The failed stream that `body` returns from then on. */
  #spent: ReadableStream<Uint8Array<ArrayBuffer>> | undefined;
  #isBegun = false;
  #taken = false;

  /** Takes over a body that is held for this Media. */
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
    // Read by the stream that `body` has returned already: its holder may lock it.
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
    // Hold the body from here on, also if the Media is read to its end meanwhile.
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
