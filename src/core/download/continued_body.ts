import { IncompleteBodyError } from "../api/errors.ts";
import type { ChunkSource } from "../bodies/chunk_source.ts";

/** The rest of a body that broke. */
export interface Rest {
  /** The bytes from there on. */
  readonly chunks: ChunkSource;
  /** The bytes of the whole body. */
  readonly size: number;
}

/** A body that broke: how much of it has come, and how often it was asked for again. */
export interface Break {
  /** The bytes that have come. */
  readonly received: number;
  /** The bytes of the whole body, where known. */
  readonly size: number | undefined;
  /** How often the rest was asked for so far. */
  readonly asked: number;
  /** How often it was asked for since the last byte. */
  readonly fruitless: number;
  /** Why the last request for the rest has failed; undefined where there was none since the last byte. */
  readonly failure: unknown;
}

/**
 * Asks for the rest of a body.
 *
 * @returns The rest; undefined if it can't be had.
 * @throws A failure that may pass.
 */
export type AskForRest = (broken: Break) => Promise<Rest | undefined>;

type Chunk = Uint8Array<ArrayBuffer>;

/** How often the rest of a body is asked for without a new byte. */
const MAX_FRUITLESS = 3;

/** A body that goes on where it stopped, when it breaks or ends early. */
export class ContinuedBody implements ChunkSource {
  readonly #askForRest: AskForRest;
  #chunks: ChunkSource;
  #size: number | undefined;
  #received = 0;
  #asked = 0;
  #fruitless = 0;
  #isCancelled = false;

  /**
   * @param chunks The body, from its first byte.
   * @param size The bytes of the body, where known.
   */
  constructor(
    chunks: ChunkSource,
    size: number | undefined,
    askForRest: AskForRest,
  ) {
    this.#chunks = chunks;
    this.#size = size;
    this.#askForRest = askForRest;
  }

  /**
   * The next bytes; undefined at the end.
   *
   * @throws The error of the body, if its rest can't be had.
   * @throws {IncompleteBodyError} If it ends early, or is too long.
   */
  async next(): Promise<Chunk | undefined> {
    for (;;) {
      const read = await this.#read();
      if (this.#isCancelled) return undefined;
      if ("chunk" in read) return read.chunk && this.#counted(read.chunk);
      await this.#continue(read.failure);
      if (this.#isCancelled) return undefined;
    }
  }

  /** Stops the source. Never rejects. */
  async cancel(reason: unknown): Promise<void> {
    this.#isCancelled = true;
    await this.#chunks.cancel(reason);
  }

  /** Reads the next bytes, undefined at the end, or learns why there are none. */
  async #read(): Promise<{ chunk: Chunk | undefined } | { failure: unknown }> {
    const size = this.#size ?? 0;
    try {
      const chunk = await this.#chunks.next();
      if (chunk !== undefined || this.#received >= size) return { chunk };
    } catch (failure) {
      // Behind the last byte there is no rest.
      if (this.#received === this.#size && !this.#isCancelled) throw failure;
      return { failure };
    }
    return { failure: new IncompleteBodyError(this.#received, size) };
  }

  #counted(chunk: Chunk): Chunk {
    this.#received += chunk.length;
    this.#fruitless = 0;
    if (this.#size === undefined || this.#received <= this.#size) return chunk;
    throw new IncompleteBodyError(this.#received, this.#size);
  }

  /** Puts the rest of the body in place of a source that broke, or else throws its failure. */
  async #continue(error: unknown): Promise<void> {
    this.#chunks.cancel(error);
    let failure: unknown;
    while (this.#fruitless < MAX_FRUITLESS) {
      const broken = {
        received: this.#received,
        size: this.#size,
        asked: this.#asked++,
        fruitless: this.#fruitless++,
        failure,
      };
      let rest: Rest | undefined;
      failure = undefined;
      try {
        rest = await this.#askForRest(broken);
      } catch (reason) {
        failure = reason;
      }
      if (this.#isCancelled) rest?.chunks.cancel(error);
      if (this.#isCancelled) return;
      if (rest !== undefined) {
        this.#chunks = rest.chunks;
        this.#size = rest.size;
        return;
      }
      if (failure === undefined) break;
    }
    throw error;
  }
}
