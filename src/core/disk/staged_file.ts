import type { DiskFile } from "./disk_file.ts";
import type { StagedDescription } from "./staged_description.ts";

/** A body that is being written under a name of its own. */
export class StagedFile {
  /** The open file. */
  readonly file: DiskFile;
  readonly #remove: (path: string) => Promise<void>;
  #path: string;
  #isNamed = true;
  #keepsNames = false;
  #renaming: Promise<void> | undefined;
  #discarding: Promise<void> | undefined;
  #description: StagedDescription | undefined;
  #describing: Promise<unknown> | undefined;

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

  /** What lies beside it for other processes to read. */
  get description(): StagedDescription | undefined {
    return this.#description;
  }

  /**
   * Puts a description beside it, unless its names are on their way already.
   *
   * @throws What `make` fails with.
   */
  async describe(make: () => Promise<StagedDescription>): Promise<void> {
    const names = [this.#renaming, this.#discarding];
    if (this.#keepsNames || names.some((each) => each !== undefined)) return;
    const made = make();
    // What happens to its names waits for this one, too.
    this.#describing = made.catch(() => {});
    try {
      this.#description = await made;
    } finally {
      this.#describing = undefined;
    }
  }

  /** Tells others that nobody writes it any more. */
  unlock(): void {
    try {
      this.file.unlock();
    } catch {
      // A disk that fails; they will be told by their time limits.
    }
  }

  /** Its names are about to become those of an entry: from here on they stay. */
  async keepNames(): Promise<void> {
    this.#keepsNames = true;
    await this.#describing;
    await this.#renaming;
  }

  /** Gives it and its description other names, before any is removed. */
  rename(rename: (from: string) => Promise<string>): Promise<void> {
    const isTooLate = this.#keepsNames || this.#discarding !== undefined;
    if (isTooLate) return Promise.resolve();
    const names = async () => {
      if (this.#describing !== undefined) await this.#describing;
      const description = this.#description;
      if (description?.isNamed) {
        description.path = await rename(description.path);
      }
      if (this.#isNamed) this.#path = await rename(this.#path);
    };
    // Where that fails it is an entry by now, or the disk fails. Only once: two
    // at a time would each take the name away from the other.
    return this.#renaming ??= names().catch(() => {});
  }

  /**
   * Gives it one more name, which stays its own when it is renamed; `link` makes it.
   *
   * @throws What `link` fails with.
   */
  async link<T>(link: (from: string) => Promise<T>): Promise<T> {
    await this.#renaming;
    return await link(this.#path);
  }

  /** Its name is an entry's by now. */
  committed(): void {
    this.#isNamed = false;
  }

  /**
   * Removes its names, and the bytes when nobody has it open any more. Only once:
   * later they may be those of another download.
   */
  discard(): Promise<void> {
    // All who ask wait until they are gone.
    return this.#discarding ??= this.#discard();
  }

  /** Removes its names and closes it. */
  async close(): Promise<void> {
    await this.discard();
    this.#description?.close();
    this.file.close();
  }

  async #discard(): Promise<void> {
    // Without a pause if there is nothing to wait for: it might be renamed in it.
    if (this.#describing !== undefined) await this.#describing;
    if (this.#renaming !== undefined) await this.#renaming;
    const description = this.#description;
    if (description?.isNamed) {
      description.isNamed = false;
      await this.#remove(description.path);
    }
    if (!this.#isNamed) return;
    this.#isNamed = false;
    await this.#remove(this.#path);
  }
}
