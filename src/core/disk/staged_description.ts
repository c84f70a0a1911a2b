import type { DiskFile, FileFacts } from "./disk_file.ts";
import { type FileSystem, isNotFound, isTaken } from "./file_system.ts";
import { safeFilename } from "../text/filename.ts";
import { cleanMimetype } from "../text/mimetype.ts";
import { MAX_SIDECAR_BYTES } from "./sidecar.ts";

/** What other processes may know of a body that is being downloaded. */
export interface StagedFacts {
  /** Media type. */
  readonly mimetype: string;
  /** File name. */
  readonly filename: string;
  /** Bytes in all, where known. */
  readonly size: number | undefined;
}

/** What one who follows a download knows of its body. */
export interface FollowedFacts extends StagedFacts {
  /** Whether all bytes are there. */
  readonly whole: boolean;
}

/**
 * What lies beside a staged body, for those who follow the download: the sidecar
 * that it is to have, without `url` and `ts` as long as bytes are missing.
 */
export class StagedDescription {
  /** Where it is. */
  path: string;
  /** Whether that name is still its own. */
  isNamed = true;
  readonly #file: DiskFile;
  readonly #length: number;

  private constructor(path: string, file: DiskFile, length: number) {
    this.path = path;
    this.#file = file;
    this.#length = length;
  }

  /** Writes what is known of the staged body `inode`. */
  static async create(
    fs: FileSystem,
    path: string,
    facts: StagedFacts,
    inode: number,
  ): Promise<StagedDescription> {
    const file = await createAnew(fs, path);
    try {
      // Shared with those who read it: neither they nor we let cleaners have it.
      file.tryLock(true);
      const text = JSON.stringify({ ...facts, staged: inode });
      const bytes = new TextEncoder().encode(text);
      await file.writeAt(bytes, 0);
      return new StagedDescription(path, file, bytes.length);
    } catch (error) {
      file.close();
      await fs.remove(path);
      throw error;
    }
  }

  /** Whether another process reads it, and so follows the download. */
  get isFollowed(): boolean {
    try {
      const isAlone = this.#file.tryLock();
      // Back to what can be shared; who asked for more in vain has nothing.
      this.#file.tryLock(true);
      return !isAlone;
    } catch {
      return false;
    }
  }

  /** Makes it the sidecar of the whole body. */
  async complete(text: string, durable: boolean): Promise<FileFacts> {
    const encoder = new TextEncoder();
    let bytes = encoder.encode(text);
    // Followers tell by the length that the text is another. A longer text needs no
    // cut, which some file systems refuse.
    const missing = this.#length + 1 - bytes.length;
    if (missing > 0) bytes = encoder.encode(text + " ".repeat(missing));
    await this.#file.writeAt(bytes, 0);
    if (durable) await this.#file.sync();
    return await this.#file.facts();
  }

  /** Closes the file. */
  close(): void {
    this.#file.close();
  }
}

/** Reads the description of a download that another process runs. */
export class FollowedDescription {
  readonly #fs: FileSystem;
  readonly #path: string;
  readonly #inode: number;
  #file: DiskFile | undefined;
  #length = 0;
  #facts: FollowedFacts | undefined;

  /** Reads nothing yet; `inode` is that of the staged body. */
  constructor(fs: FileSystem, path: string, inode: number) {
    this.#fs = fs;
    this.#path = path;
    this.#inode = inode;
  }

  /** What it says now; undefined as long as the type is not certain. */
  async read(): Promise<FollowedFacts | undefined> {
    const isOurs = this.#file !== undefined;
    this.#file ??= await this.#open();
    const text = this.#file && await this.#text(this.#file);
    if (text === undefined) return this.#facts;
    const facts = this.#parse(text, isOurs);
    if (facts !== undefined) this.#facts = facts;
    else if (!isOurs) this.close();
    return this.#facts;
  }

  /** Closes the file, which tells the writer that nobody follows. */
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
      // Somebody may be looking just now whether it is locked.
      if (file.tryLock(true)) return file;
    } catch (error) {
      file.close();
      throw error;
    }
    file.close();
    return undefined;
  }

  /** The text, if it has changed. */
  async #text(file: DiskFile): Promise<string | undefined> {
    const { size } = await file.facts();
    if (size === this.#length || size > MAX_SIDECAR_BYTES) return undefined;
    const bytes = new Uint8Array(size);
    const count = await file.readAt(bytes, 0);
    if (count !== size) return undefined;
    this.#length = size;
    return new TextDecoder().decode(bytes);
  }

  /**
   * What a text says. One that was seen half-written says nothing, and is read
   * again when it has its length.
   */
  #parse(text: string, isOurs: boolean): FollowedFacts | undefined {
    let value: Record<string, unknown>;
    try {
      value = Object(JSON.parse(text));
    } catch {
      this.#length = 0;
      return undefined;
    }
    const { mimetype, filename, size, ts, staged } = value;
    // It may be that of another download of the URL, if that has begun since.
    if (!isOurs && staged !== this.#inode) return undefined;
    return {
      mimetype: cleanMimetype(String(mimetype)),
      filename: safeFilename(String(filename)),
      size: typeof size === "number" ? size : undefined,
      whole: ts !== undefined,
    };
  }
}

/** Makes a file, in place of one that a process left that has ended. */
async function createAnew(fs: FileSystem, path: string): Promise<DiskFile> {
  try {
    return await fs.create(path);
  } catch (error) {
    if (!isTaken(error) || await fs.isLocked(path)) throw error;
    await fs.remove(path);
    return await fs.create(path);
  }
}
