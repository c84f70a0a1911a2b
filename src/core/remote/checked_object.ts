import { createHash, type Hash } from "node:crypto";
import { IncompleteBodyError, MediaCacheError } from "../api/errors.ts";
import type { RemoteEntry } from "../api/remote_tier.ts";
import { Deadline } from "../async/deadline.ts";
import { Pacer } from "../async/pacer.ts";
import { assertAttached } from "../bodies/body_data.ts";
import { joined } from "../bodies/byte_reader.ts";
import type { ChunkSource } from "../bodies/chunk_source.ts";
import { RemoteTimeout } from "./remote_timeout.ts";

type Chunk = Uint8Array<ArrayBuffer>;

/** Why an object brings no more bytes: they were not those of its facts, or the tier failed. */
export type ObjectFault = "wrong" | "cut" | "stalled";

/** How long an object may be silent. */
export interface SilenceLimits {
  /** The longest time without a byte, in milliseconds. */
  readonly idleTimeoutMs: number;
  /** The longest time without a byte once the tier is down, in milliseconds. */
  readonly downTimeoutMs: number;
  /** Whether the tier is down. */
  isDown(): boolean;
}

/** The listeners of a {@linkcode CheckedObject}. */
export interface ObjectEvents {
  /** Called with the length of each chunk that the tier has sent. */
  onBytes(bytes: number): void;
  /** Called once when the object brings no more bytes than these. */
  onFault(fault: ObjectFault, error: unknown): void;
  /** Called once when the bytes of another source have completed the object. */
  onContinued(): void;
}

/**
 * The bytes of an object of a remote tier, checked on the way: the last chunk comes only
 * when length and digest are right. If the object breaks before, another source of the same
 * body may complete it: the bytes that have come are skipped there, and compared.
 */
export class CheckedObject implements ChunkSource {
  /** Why the tier brings no more bytes; undefined while it does. */
  fault: ObjectFault | undefined;
  /** Whether the first bytes have come, and the lookup has ended with them. */
  isBegun = false;
  /**
   * Opens the body anew at its first byte, at another source, after the object has broken;
   * undefined where no other source can complete it.
   */
  reopen: (() => Promise<ChunkSource | undefined>) | undefined;
  readonly #entry: Pick<RemoteEntry, "size" | "sha256">;
  readonly #events: ObjectEvents;
  readonly #hash: Hash = createHash("sha256");
  readonly #deadline: Deadline;
  readonly #limits: SilenceLimits;
  /** The time without a byte after which the silence is looked at, in milliseconds. */
  readonly #stepMs: number;
  #silentMs = 0;
  #chunks: ChunkSource;
  /** The bytes handed out: those that the hash has. */
  #given = 0;
  /** The first chunk, where it was awaited before. */
  #first: Chunk | undefined;
  #isCancelled = false;
  /** Set when no byte has come for too long. */
  #timeout: RemoteTimeout | undefined;

  /**
   * @param entry Length and digest of the body.
   * @param chunks The bytes that the tier sends.
   * @param limits How long the tier may send no byte.
   */
  constructor(
    entry: Pick<RemoteEntry, "size" | "sha256">,
    chunks: ChunkSource,
    limits: SilenceLimits,
    events: ObjectEvents,
  ) {
    this.#entry = entry;
    this.#chunks = chunks;
    this.#events = events;
    this.#limits = limits;
    const { idleTimeoutMs, downTimeoutMs } = limits;
    this.#stepMs = Math.min(idleTimeoutMs, downTimeoutMs);
    const onStep = () => this.#onSilence();
    this.#deadline = new Deadline(this.#stepMs, Infinity, onStep);
    this.#deadline.pause();
  }

  /** Whether the tier brings no more bytes: another source has to complete the object. */
  get isContinued(): boolean {
    return this.fault !== undefined;
  }

  /** Waits for the first bytes, which `next()` returns then. */
  async begin(): Promise<void> {
    this.#first = await this.next();
    this.isBegun = true;
  }

  /** All bytes, checked. */
  async whole(): Promise<Chunk> {
    const chunks: Chunk[] = [];
    for (
      let chunk = await this.next();
      chunk !== undefined;
      chunk = await this.next()
    ) chunks.push(chunk);
    return joined(chunks);
  }

  /**
   * The next bytes; undefined at the end.
   *
   * @throws {MediaCacheError} If the bytes are not those of the digest.
   * @throws {IncompleteBodyError} If the object is cut, and no other source completes it.
   * @throws The error of the stream, or of the other source.
   */
  async next(): Promise<Chunk | undefined> {
    const first = this.#first;
    this.#first = undefined;
    if (first !== undefined) return first;
    if (this.#isCancelled || this.#given === this.#entry.size) return undefined;
    let chunk: Chunk | undefined;
    if (this.fault === undefined) {
      try {
        chunk = await this.#read();
      } catch (error) {
        if (this.#isCancelled) return undefined;
        chunk = await this.#continued(this.#timeout ?? error);
      }
    } else chunk = await this.#chunks.next();
    if (this.#isCancelled) return undefined;
    if (chunk === undefined) throw this.#incomplete();
    return await this.#checked(chunk);
  }

  /** Stops the source. Never rejects. */
  async cancel(reason: unknown): Promise<void> {
    this.#isCancelled = true;
    this.#deadline.stop();
    await this.#chunks.cancel(reason);
  }

  /** The next chunk from the tier. */
  async #read(): Promise<Chunk> {
    this.#deadline.resume();
    try {
      const chunk = await this.#chunks.next();
      if (chunk === undefined) throw this.#incomplete();
      assertAttached(chunk);
      this.#silentMs = 0;
      this.#events.onBytes(chunk.length);
      return chunk;
    } finally {
      this.#deadline.pause();
    }
  }

  /** Ends an object that is silent for too long: sooner while other calls fail as well. */
  #onSilence(): void {
    this.#silentMs += this.#stepMs;
    const { idleTimeoutMs } = this.#limits;
    const mayWait = this.#silentMs < idleTimeoutMs && !this.#limits.isDown();
    if (mayWait) return this.#deadline.alive();
    this.#timeout = new RemoteTimeout("byte", this.#silentMs);
    this.#chunks.cancel(this.#timeout);
  }

  /** Hashes a chunk, and compares length and digest before it hands out the last. */
  async #checked(chunk: Chunk): Promise<Chunk> {
    const { size, sha256 } = this.#entry;
    const end = this.#given + chunk.length;
    this.#hash.update(chunk);
    if (end < size) {
      this.#given = end;
      return chunk;
    }
    const isWrong = end > size || await this.#hasMore() ||
      this.#hash.digest("hex") !== sha256;
    this.#deadline.stop();
    if (isWrong) throw this.#wrong();
    this.#given = end;
    if (this.isContinued) this.#events.onContinued();
    return chunk;
  }

  /** Whether bytes come behind the last; a stream that breaks there is whole. */
  async #hasMore(): Promise<boolean> {
    try {
      if (this.fault !== undefined) {
        return await this.#chunks.next() !== undefined;
      }
      await this.#read();
      return true;
    } catch {
      return false;
    }
  }

  /** Goes on with another source behind the bytes handed out, and returns its next chunk. */
  async #continued(cause: unknown): Promise<Chunk | undefined> {
    this.#deadline.stop();
    this.#setFault(this.#timeout ? "stalled" : "cut", cause);
    this.#chunks.cancel(cause);
    const origin = await this.reopen?.();
    if (origin === undefined) throw cause;
    this.#chunks = origin;
    if (this.#isCancelled) {
      origin.cancel(cause);
      return undefined;
    }
    const pacer = new Pacer();
    const prefix = createHash("sha256");
    let left = this.#given;
    let rest: Chunk | undefined;
    while (left > 0) {
      const chunk = await origin.next();
      if (chunk === undefined) throw this.#incomplete();
      assertAttached(chunk);
      const skipped = chunk.subarray(0, left);
      prefix.update(skipped);
      left -= skipped.length;
      if (skipped.length < chunk.length) rest = chunk.subarray(skipped.length);
      if (pacer.due) await pacer.yield();
    }
    const digest = this.#hash.copy().digest("hex");
    if (prefix.digest("hex") !== digest) throw this.#incomplete();
    return rest ?? await origin.next();
  }

  #incomplete(): IncompleteBodyError {
    return new IncompleteBodyError(this.#given, this.#entry.size);
  }

  #wrong(): MediaCacheError {
    const error = new MediaCacheError(
      "Cannot read media: its bytes must have the digest of the remote object: " +
        "received others",
    );
    if (this.fault === undefined) this.#setFault("wrong", error);
    this.#chunks.cancel(error);
    return error;
  }

  #setFault(fault: ObjectFault, error: unknown): void {
    this.fault = fault;
    this.#events.onFault(fault, error);
  }
}
