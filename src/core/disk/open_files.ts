import type { StagedFile } from "./staged_file.ts";
import { isYoung } from "./file_identity.ts";
import { MediaCacheError } from "../api/errors.ts";
import type { DiskFile } from "./disk_file.ts";
import type { MaybePromise } from "./io_mode.ts";
import { type FileSystem, isNotFound } from "./file_system.ts";
import { hasBirth } from "./file_identity.ts";

/** Unread handles that may be open at once; the oldest gives way to the next. */
const MAX_UNREAD = 256;

/** Opens the file of an entry, after a look into its sidecar; undefined when it is another's. */
export type OpenSurely = () => Promise<DiskFile | undefined>;

/** Told of each read that the disk failed. */
export type OnFault = (error: Error) => void;

/**
 * The open files of committed entries. Whoever reads an entry shares one handle.
 * An unread Media has a claim on it, which may be parked: its handle is closed,
 * to be opened again by name when it is read. Before a name goes to another file
 * the store calls `rescue()`, so that a parked claim never reads another's bytes.
 */
export class OpenFiles {
  readonly #fs: FileSystem;
  readonly #onFault: OnFault;
  readonly #shared = new Map<string, SharedFile>();
  readonly #unread = new Set<FileClaim>();
  readonly #parked = new Set<FileClaim>();

  /** A pool without files. */
  constructor(fs: FileSystem, onFault: OnFault) {
    this.#fs = fs;
    this.#onFault = onFault;
  }

  /** The file of that name and inode, if somebody here holds it. */
  find(path: string, inode: number): SharedFile | undefined {
    const shared = this.#shared.get(path);
    return shared?.inode === inode ? shared : undefined;
  }

  /**
   * Takes over a file that was opened under, or renamed to, `path`; several
   * lookups at once share the first. It must be held or claimed at once.
   *
   * @param openSurely Opens it again where its inode alone does not tell.
   */
  adopt(
    path: string,
    inode: number,
    file: DiskFile,
    openSurely: OpenSurely = () => Promise.resolve(undefined),
  ): SharedFile {
    const known = this.find(path, inode);
    if (known !== undefined) {
      known.offer(file);
      return known;
    }
    // Its name is another's by now, so that it can't be opened again.
    this.#shared.get(path)?.pin();
    const shared: SharedFile = new SharedFile(
      this.#fs,
      path,
      inode,
      file,
      openSurely,
      this.#onFault,
      () => {
        if (this.#shared.get(path) === shared) this.#shared.delete(path);
      },
    );
    this.#shared.set(path, shared);
    return shared;
  }

  /** Shares a staged body that could not be committed, held; its name goes. */
  async adoptStaged(staged: StagedFile): Promise<SharedFile> {
    const file = this.adopt(staged.path, 0, staged.file);
    file.hold(true);
    await this.rescue(staged.path);
    await staged.discard();
    return file;
  }

  /** Holds a file for a Media that nobody has read yet. */
  claim(shared: SharedFile): FileClaim {
    const claim: FileClaim = new FileClaim(shared, () => {
      this.#unread.delete(claim);
      this.#parked.delete(claim);
    });
    this.#unread.add(claim);
    for (const oldest of this.#unread) {
      if (this.#unread.size <= MAX_UNREAD) break;
      if (!oldest.mayPark) continue;
      this.#unread.delete(oldest);
      this.#parked.add(oldest);
      oldest.park();
    }
    return claim;
  }

  /** Keeps the file that has this name readable after the name is gone. */
  async rescue(path: string): Promise<void> {
    const shared = this.#shared.get(path);
    if (shared === undefined) return;
    await shared.pin();
    this.#shared.delete(path);
  }

  /** Gives back the handles of all that was not read. */
  closeUnread(): void {
    for (const claim of [...this.#unread, ...this.#parked]) claim.release();
  }
}

/** One file, read by many at positions of their own. */
export class SharedFile {
  /** Tells it from another file that takes its name. */
  readonly inode: number;
  readonly #fs: FileSystem;
  readonly #path: string;
  readonly #openSurely: OpenSurely;
  readonly #onFault: OnFault;
  readonly #onUnused: () => void;
  /** Its age when it was adopted, and when that was. */
  readonly #age: { ms: number; at: number };
  #file: DiskFile | undefined;
  #opening: Promise<DiskFile> | undefined;
  #open = 0;
  #holders = 0;
  #pinned = false;
  /** Whether it was closed when another could still come to look like it. */
  #isLost = false;

  /** Made by {@linkcode OpenFiles.adopt}. */
  constructor(
    fs: FileSystem,
    path: string,
    inode: number,
    file: DiskFile,
    openSurely: OpenSurely,
    onFault: OnFault,
    onUnused: () => void,
  ) {
    this.#openSurely = openSurely;
    this.#fs = fs;
    this.#path = path;
    this.inode = inode;
    // One just made has no times yet; of another they may lie in the future.
    const { mtimeMs } = file.opened;
    const ms = mtimeMs === 0 ? 0 : Math.max(0, Date.now() - mtimeMs);
    this.#age = { ms, at: performance.now() };
    this.#file = file;
    this.#onFault = onFault;
    this.#onUnused = onUnused;
  }

  /**
   * Whether it can be told from any that takes its name after it is closed. Without
   * a time of birth it never can: its inode is free again at once, and its other
   * times may be changed at any time.
   */
  get isUnique(): boolean {
    const { ms, at } = this.#age;
    const ageMs = ms + performance.now() - at;
    return hasBirth(this.inode) &&
      !isYoung({ inode: this.inode, mtimeMs: 0 }, ageMs);
  }

  /**
   * Reads into `view` from a position; 0 at the end.
   *
   * @param onFault Told when the disk fails, in place of the pool's listener.
   */
  readAt(
    view: Uint8Array,
    position: number,
    onFault: OnFault = this.#onFault,
  ): MaybePromise<number> {
    try {
      const result = this.#file !== undefined
        ? this.#file.readAt(view, position)
        : this.#reopen().then((file) => file.readAt(view, position));
      return typeof result === "number"
        ? result
        : result.catch((error) => rethrow(error, onFault));
    } catch (error) {
      return rethrow(error, onFault);
    }
  }

  /** Takes a handle of the same file, if there is none. */
  offer(file: DiskFile): void {
    if (this.#file === undefined && this.#opening === undefined) {
      this.#file = file;
    } else file.close();
  }

  /** Counts one who holds the file; `open` if he needs the handle as well. */
  hold(open: boolean): void {
    this.#holders++;
    if (open) this.#open++;
  }

  /** Takes back what `hold()` counted. */
  release(open: boolean): void {
    this.#holders--;
    if (this.#holders === 0) {
      this.#open = 0;
      this.#pinned = false;
      this.#close();
      this.#isLost ||= !this.isUnique;
      this.#onUnused();
    } else if (open) this.giveWay();
  }

  /** One holder gives the handle back but wants to read some day. */
  giveWay(): void {
    this.#open--;
    if (this.#open === 0 && !this.#pinned) this.#close();
  }

  /** Opens the file, if need be, and keeps it open for as long as it is held. */
  async pin(): Promise<void> {
    this.#pinned = true;
    // A file that can't be opened now can't be later: its readers are told then.
    if (this.#file === undefined) await this.#reopen().catch(() => {});
  }

  #reopen(): Promise<DiskFile> {
    return this.#opening ??= (async () => {
      try {
        const file = this.#isLost
          ? await this.#openSurely()
          : await this.#fs.open(this.#path);
        const isSame = file?.inode === this.inode;
        if (file && isSame && this.#holders > 0) return this.#file = file;
        file?.close();
        throw new MediaCacheError(
          isSame
            ? "Cannot read media: its reader has left"
            : "Cannot read media: its entry was replaced",
        );
      } catch (error) {
        if (!isNotFound(error)) throw error;
        throw new MediaCacheError("Cannot read media: its entry has gone", {
          cause: error,
        });
      } finally {
        this.#opening = undefined;
      }
    })();
  }

  #close(): void {
    this.#file?.close();
    this.#file = undefined;
  }
}

/** Tells a fault of the disk: an entry that has gone, or is another's, is none. */
function rethrow(error: unknown, onFault: OnFault): never {
  const isFault = error instanceof Error && "code" in error;
  if (isFault && !isNotFound(error)) onFault(error);
  throw error;
}

/** What keeps a file at hand for a Media that nobody has read yet. */
export class FileClaim {
  readonly #shared: SharedFile;
  readonly #leave: () => void;
  #state: "open" | "parked" | "released" = "open";

  /** Made by {@linkcode OpenFiles.claim}. */
  constructor(shared: SharedFile, leave: () => void) {
    this.#shared = shared;
    this.#leave = leave;
    shared.hold(true);
  }

  /** Whether the file can be opened again, and not another in its place. */
  get mayPark(): boolean {
    return this.#shared.isUnique;
  }

  /** Gives the handle back until somebody reads. */
  park(): void {
    if (this.#state !== "open") return;
    this.#state = "parked";
    this.#shared.giveWay();
  }

  /** Ends the claim. Idempotent. */
  release(): void {
    if (this.#state === "released") return;
    const open = this.#state === "open";
    this.#state = "released";
    this.#leave();
    this.#shared.release(open);
  }
}
