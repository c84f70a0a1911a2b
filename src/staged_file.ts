import type { DiskFile } from "./file_system.ts";
import type { StagedDescription } from "./staged_description.ts";

/** A body that is being written under a name of its own. */
export class StagedFile {
  /** The open file. */
  readonly file: DiskFile;
  /** What lies beside it for other processes to read. */
  description: StagedDescription | undefined;
  readonly #remove: (path: string) => Promise<void>;
  #path: string;
  #isNamed = true;
  #renaming: Promise<void> | undefined;

  /** A file at `path`; `remove` removes a file and does not reject. */
  constructor(
    path: string,
    file: DiskFile,
    remove: (path: string) => Promise<void>,
  ) {
    this.#path = path;
    this.file = file;
    this.#remove = remove;
  }

  /** Where it is. */
  get path(): string {
    return this.#path;
  }

  /** Tells others that nobody writes it any more. */
  unlock(): void {
    try {
      this.file.unlock();
    } catch {
      // A disk that fails; they will be told by their time limits.
    }
  }

  /** Gives it and its description other names, before any is removed. */
  rename(rename: (from: string) => Promise<string>): Promise<void> {
    const names = async () => {
      const { description } = this;
      if (description?.isNamed) {
        description.path = await rename(description.path);
      }
      if (this.#isNamed) this.#path = await rename(this.#path);
    };
    // Where that fails it is an entry by now, or the disk fails.
    return this.#renaming = names().catch(() => {});
  }

  /** Its name is an entry's by now. */
  committed(): void {
    this.#isNamed = false;
  }

  /**
   * Removes its names, and the bytes when nobody has it open any more. Only once:
   * later they may be those of another download.
   */
  async discard(): Promise<void> {
    await this.#renaming;
    const { description } = this;
    if (description?.isNamed) {
      description.isNamed = false;
      await this.#remove(description.path);
    }
    if (!this.#isNamed) return;
    this.#isNamed = false;
    await this.#remove(this.#path);
  }

  /** Removes its names and closes it. */
  async close(): Promise<void> {
    await this.discard();
    this.description?.close();
    this.file.close();
  }
}
