import type { DiskFile } from "./disk_file.ts";
import type { FileState } from "./file_identity.ts";
import { isNotFound, isTaken } from "./disk_fault.ts";
import type { FileSystem } from "./file_system.ts";
import { safeFilename } from "../text/filename.ts";
import { cleanMimetype } from "../text/mimetype.ts";
import { MAX_SIDECAR_BYTES } from "./sidecar.ts";

/** The facts of a download that other processes need to follow it. */
export interface StagedFacts {
  /** Media type of the body. */
  readonly mimetype: string;
  /** File name of the body. */
  readonly filename: string;
  /** Bytes of the whole body, where known. */
  readonly size: number | undefined;
}

/** Why a download brings no bytes for a while: its next attempt, or its conversion, goes on. */
export type StagedPause = "waiting" | "converting";

/** The facts of a download, as a follower reads them. */
export interface FollowedFacts extends StagedFacts {
  /** Whether the download has ended and the body is complete. */
  readonly isComplete: boolean;
  /** Why the download ended without all bytes: the end of a sentence about it. */
  readonly ending: string | undefined;
}

const PAUSES: readonly StagedPause[] = ["waiting", "converting"];

/**
 * The description of a staged body, for the followers of its download: the sidecar
 * to be, without `url` and `ts` while bytes are missing. Before there are facts, it says that
 * the body is waited for or converted, and nothing that older releases take for facts.
 *
 * Each write is a sign of life of the writer, which shows by the mtime: also the same
 * text is written again while no bytes come, as during a conversion. The writer and each follower
 * hold a shared lock: so the writer sees whether it has followers, and a cleaner that
 * the file is in use.
 */
export class StagedDescription {
  /** The path of the description. */
  path: string;
  /** Whether the file of that path is still this description. */
  isNamed = true;
  /** The identity of the description's file. */
  readonly identity: number;
  readonly #file: DiskFile;
  readonly #staged: number;
  #facts: object = {};
  #bytes = new Uint8Array(0);
  #isComplete = false;

  private constructor(
    path: string,
    file: DiskFile,
    identity: number,
    staged: number,
  ) {
    this.path = path;
    this.identity = identity;
    this.#file = file;
    this.#staged = staged;
  }

  /** Writes the facts of the staged body with that identity, or why it has none yet. */
  static async create(
    fs: FileSystem,
    path: string,
    facts: StagedFacts | StagedPause,
    staged: number,
  ): Promise<StagedDescription> {
    const file = await createAnew(fs, path);
    try {
      file.tryLock(true);
      const own = (await file.facts()).identity;
      const description = new StagedDescription(path, file, own, staged);
      await description.tell(facts);
      return description;
    } catch (error) {
      file.close();
      await fs.remove(path);
      throw error;
    }
  }

  /** Whether another process follows the download. */
  get isFollowed(): boolean {
    try {
      const isAlone = this.#file.tryLock();
      // Share the lock again: a failed request for an exclusive lock drops the shared one.
      this.#file.tryLock(true);
      return !isAlone;
    } catch {
      return false;
    }
  }

  /** Writes facts in place of those before, or of a pause. */
  async tell(facts: StagedFacts | StagedPause): Promise<void> {
    if (this.#isComplete) return;
    this.#facts = typeof facts === "string"
      ? { [facts]: this.#staged }
      : { ...facts, staged: this.#staged };
    await this.#write(JSON.stringify(this.#facts));
  }

  /** Writes the same text again, to show that the writer lives. Never rejects. */
  async beat(): Promise<void> {
    // A sidecar keeps its stamp.
    if (this.#isComplete) return;
    try {
      await this.#file.writeAt(this.#bytes, 0);
    } catch {
      // The download has ended meanwhile, or followers run into their time limits.
    }
  }

  /** Writes the sidecar of the complete body over the description. */
  async complete(text: string, durable: boolean): Promise<FileState> {
    this.#isComplete = true;
    await this.#write(text);
    if (durable) await this.#file.sync();
    return await this.#file.facts();
  }

  /** Writes why the download ended without all bytes. Never rejects. */
  async end(ending: string): Promise<void> {
    try {
      await this.#write(JSON.stringify({ ...this.#facts, ending }));
    } catch {
      // Followers will see that the lock of the body is free.
    }
  }

  /** Writes a text in place of the one before. */
  async #write(text: string): Promise<void> {
    const encoder = new TextEncoder();
    let bytes = encoder.encode(text);
    // Followers notice a new text by its length. The text is filled up, never cut:
    // some file systems refuse to cut a file.
    const missing = this.#bytes.length + 1 - bytes.length;
    if (missing > 0) bytes = encoder.encode(text + " ".repeat(missing));
    this.#bytes = bytes;
    await this.#file.writeAt(bytes, 0);
  }

  /** Closes the file. */
  close(): void {
    this.#file.close();
  }
}

/** Reads the description of a download in another process. */
export class FollowedDescription {
  readonly #fs: FileSystem;
  readonly #path: string;
  readonly #identity: number;
  /** Why there are no facts yet, if the writer says so. */
  pause: StagedPause | undefined;
  /** When the writer last showed that it lives (ms since the epoch). */
  writtenMs: number | undefined;
  #file: DiskFile | undefined;
  #length = 0;
  #facts: FollowedFacts | undefined;

  /** `identity` is that of the staged body. */
  constructor(fs: FileSystem, path: string, identity: number) {
    this.#fs = fs;
    this.#path = path;
    this.#identity = identity;
  }

  /** The facts now; undefined until the type is certain. */
  async read(): Promise<FollowedFacts | undefined> {
    const isOurs = this.#file !== undefined;
    this.#file ??= await this.#open();
    const text = this.#file && await this.#text(this.#file);
    if (text === undefined) return this.#facts;
    const facts = this.#parse(text, isOurs);
    if (facts !== undefined) this.#facts = facts;
    else if (!isOurs && this.pause === undefined) this.close();
    return this.#facts;
  }

  /** Closes the file, and so shows the writer that this follower has left. */
  close(): void {
    this.#file?.close();
    this.#file = undefined;
    this.#length = 0;
  }

  async #open(): Promise<DiskFile | undefined> {
    if (!await this.#fs.exists(this.#path)) return undefined;
    let file: DiskFile;
    try {
      file = await this.#fs.open(this.#path);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
    try {
      // Fails for a moment if another process tests the lock just now.
      if (file.tryLock(true)) return file;
    } catch (error) {
      file.close();
      throw error;
    }
    file.close();
    return undefined;
  }

  /** The text, if its length has changed. */
  async #text(file: DiskFile): Promise<string | undefined> {
    const { size, mtimeMs } = await file.facts();
    this.writtenMs = mtimeMs;
    if (size === this.#length || size > MAX_SIDECAR_BYTES) return undefined;
    const bytes = new Uint8Array(size);
    const count = await file.readAt(bytes, 0);
    if (count !== size) return undefined;
    this.#length = size;
    return new TextDecoder().decode(bytes);
  }

  /**
   * Reads the facts from a text; undefined for a text that is half-written, which is
   * read again later, or of another download.
   */
  #parse(text: string, isOurs: boolean): FollowedFacts | undefined {
    let value: Record<string, unknown>;
    try {
      value = Object(JSON.parse(text));
    } catch {
      this.#length = 0;
      return undefined;
    }
    const { mimetype, filename, size, ts, staged, ending } = value;
    this.pause = PAUSES.find((pause) => value[pause] === this.#identity);
    if (this.pause !== undefined) return undefined;
    // Another download of the URL may have begun since, with a description of its own.
    if (!isOurs && staged !== this.#identity) return undefined;
    return {
      mimetype: cleanMimetype(String(mimetype)),
      filename: safeFilename(String(filename)),
      size: typeof size === "number" ? size : undefined,
      isComplete: ts !== undefined,
      ending: typeof ending === "string" ? ending : undefined,
    };
  }
}

/** Makes a file, in place of the leftover of a process that has ended. */
async function createAnew(fs: FileSystem, path: string): Promise<DiskFile> {
  try {
    return await fs.create(path);
  } catch (error) {
    if (!isTaken(error) || await fs.isLocked(path)) throw error;
    await fs.remove(path);
    return await fs.create(path);
  }
}
