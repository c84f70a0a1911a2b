import { MediaCacheError } from "../api/errors.ts";
import type { DiskFile } from "./disk_file.ts";
import { isTransient } from "./disk_fault.ts";
import { hasBirth, isYoung } from "./file_identity.ts";
import { isNotFound } from "./disk_fault.ts";
import type { FileSystem } from "./file_system.ts";
import type { MaybePromise } from "./io_mode.ts";
import type { LentFolder } from "./lent_folder.ts";
import type { StagedFile } from "./staged_file.ts";

/** Unread Media that may have an open handle; the oldest gives way to the next. */
const MAX_UNREAD = 256;

/** Opens the file of an entry, after a look into its sidecar; undefined if another entry has the name. */
export type OpenSurely = () => Promise<DiskFile | undefined>;

/** Called for each read that the disk fails. */
export type OnFault = (error: Error) => void;

/**
 * The open files of committed entries. All readers of an entry share one handle. The
 * hold of an unread Media may be parked: the handle is closed, and opened again for the
 * first read, by a link in the lent folder. Where no link can be made, the file is
 * opened again by name, if its identity is the same. Before a name goes to another file
 * the store calls `rescue()`, so that a file without a link stays open.
 */
export class OpenFiles {
  readonly #fs: FileSystem;
  readonly #lent: LentFolder;
  readonly #onFault: OnFault;
  readonly #shared = new Map<string, SharedFile>();
  readonly #unread = new Set<FileHold>();
  readonly #parked = new Set<FileHold>();

  /** `onFault` is called for each read that the disk fails. */
  constructor(fs: FileSystem, lent: LentFolder, onFault: OnFault) {
    this.#fs = fs;
    this.#lent = lent;
    this.#onFault = onFault;
  }

  /** The file of that path and identity, if anything holds it. */
  find(path: string, identity: number): SharedFile | undefined {
    const shared = this.#shared.get(path);
    return shared?.identity === identity ? shared : undefined;
  }

  /**
   * Takes over a file that was opened under, or renamed to, `path`; lookups at the
   * same time share the first. The caller holds the result at once.
   *
   * @param openSurely Opens the file again where its identity alone proves nothing.
   */
  adopt(
    path: string,
    identity: number,
    file: DiskFile,
    openSurely: OpenSurely = () => Promise.resolve(undefined),
  ): SharedFile {
    const known = this.find(path, identity);
    if (known !== undefined) {
      known.offer(file);
      return known;
    }
    // Link the earlier file of this name, or keep it open.
    this.#shared.get(path)?.leaveName();
    const shared: SharedFile = new SharedFile(
      this.#fs,
      this.#lent,
      path,
      identity,
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

  /** Shares a staged body that could not be committed, held once; removes its name. */
  async adoptStaged(staged: StagedFile): Promise<SharedFile> {
    const file = this.adopt(staged.path, 0, staged.file);
    file.hold(true);
    await this.rescue(staged.path);
    await staged.discard();
    return file;
  }

  /** Holds a file for an unread Media. */
  holdUnread(shared: SharedFile): FileHold {
    const hold: FileHold = new FileHold(shared, () => {
      this.#unread.delete(hold);
      this.#parked.delete(hold);
    });
    this.#unread.add(hold);
    for (const oldest of this.#unread) {
      if (this.#unread.size <= MAX_UNREAD) break;
      if (!oldest.mayPark) continue;
      this.#unread.delete(oldest);
      this.#parked.add(oldest);
      oldest.park();
    }
    return hold;
  }

  /** Keeps the file of this path readable after its name is gone. */
  async rescue(path: string): Promise<void> {
    const shared = this.#shared.get(path);
    if (shared === undefined) return;
    await shared.leaveName();
    if (this.#shared.get(path) === shared) this.#shared.delete(path);
  }

  /** Releases the holds of all unread Media, and removes their links. */
  async close(): Promise<void> {
    for (const hold of [...this.#unread, ...this.#parked]) hold.release();
    await this.#lent.close();
  }
}

/** A file with many readers, each at a position of its own. */
export class SharedFile {
  /** The identity of the file, by which it is told from a successor. */
  readonly identity: number;
  readonly #fs: FileSystem;
  readonly #lent: LentFolder;
  readonly #path: string;
  readonly #openSurely: OpenSurely;
  readonly #onFault: OnFault;
  readonly #onUnused: () => void;
  /** The age of the file at its adoption (ms), and the time of that (performance.now()). */
  readonly #age: { ms: number; at: number };
  #file: DiskFile | undefined;
  #opening: Promise<DiskFile> | undefined;
  /** The path of a link to the file, while unread Media need it. */
  #link: string | undefined;
  #lending: Promise<void> | undefined;
  #open = 0;
  #holders = 0;
  #unreadHolds = 0;
  #pinned = false;
  /** Whether the path is about to be that of another file, or of none. */
  #isNameless = false;
  /** Whether the file was closed while a successor could still have its identity. */
  #isLost = false;

  /** Called by {@linkcode OpenFiles.adopt} alone. */
  constructor(
    fs: FileSystem,
    lent: LentFolder,
    path: string,
    identity: number,
    file: DiskFile,
    openSurely: OpenSurely,
    onFault: OnFault,
    onUnused: () => void,
  ) {
    this.#openSurely = openSurely;
    this.#fs = fs;
    this.#lent = lent;
    this.#path = path;
    this.identity = identity;
    // A new file has no times yet; a wrong clock may have set them in the future.
    const { mtimeMs } = file.opened;
    const ms = mtimeMs === 0 ? 0 : Math.max(0, Date.now() - mtimeMs);
    this.#age = { ms, at: performance.now() };
    this.#file = file;
    this.#onFault = onFault;
    this.#onUnused = onUnused;
  }

  /** Whether the file can be closed, and opened again by a link or by name. */
  get mayPark(): boolean {
    return this.#lent.mayLend || this.#isUnique;
  }

  /**
   * Whether the identity tells this file from any successor, so that it may be closed
   * and opened again by name. Without a time of birth it never does: the inode is
   * free again at once, and the other times may change at any time.
   */
  get #isUnique(): boolean {
    const { ms, at } = this.#age;
    const ageMs = ms + performance.now() - at;
    return hasBirth(this.identity) &&
      !isYoung({ identity: this.identity, mtimeMs: 0 }, ageMs);
  }

  /**
   * Reads from a position, in bytes; returns the bytes read, 0 at the end.
   *
   * @param onFault Called when the disk fails, in place of the pool's listener.
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

  /** Takes over a handle of the same file, or closes it if a handle is open. */
  offer(file: DiskFile): void {
    if (this.#file === undefined && this.#opening === undefined) {
      this.#file = file;
    } else file.close();
  }

  /** Counts a holder; with `open`, a holder that needs the handle open. */
  hold(open: boolean): void {
    this.#holders++;
    if (open) this.#open++;
  }

  /** Takes back a `hold()`. */
  release(open: boolean): void {
    this.#holders--;
    if (this.#holders === 0) {
      this.#open = 0;
      this.#pinned = false;
      this.#close();
      this.#onUnused();
    } else if (open) this.giveWay();
  }

  /** Holds the file for an unread Media. */
  holdUnread(): void {
    this.#unreadHolds++;
    this.hold(true);
  }

  /** Takes back a `holdUnread()`; `open` unless the hold gave way before. */
  releaseUnread(open: boolean): void {
    this.#unreadHolds--;
    this.release(open);
    if (this.#unreadHolds > 0 || this.#link === undefined) return;
    // Readers that have begun go on with a handle, opened by the link before it goes.
    const isRead = this.#holders > 0 && this.#file === undefined;
    const opened = isRead ? this.#reopen().catch(() => {}) : undefined;
    this.#lent.takeBack(this.#link, opened);
    this.#link = undefined;
  }

  /** Counts a holder as not open: it will read later, and needs no handle till then. */
  giveWay(): void {
    this.#open--;
    if (this.#isIdle) this.#lend().then(() => this.#park());
  }

  /**
   * Links the file for a user, under a safe file name.
   *
   * @param size The bytes that the file must have.
   * @returns The path of the link; undefined where none can be made.
   * @throws {MediaCacheError} If the file has another length, or can't be opened again.
   * @throws The file system's error.
   */
  async lendAs(name: string, size: number): Promise<string | undefined> {
    this.hold(true);
    try {
      const file = this.#file ?? await this.#reopen();
      assertLength((await file.facts()).size, size);
      const path = this.#link ?? (this.#isNameless ? undefined : this.#path);
      if (path === undefined) return undefined;
      const loan = await this.#lent.lend(file, path, name);
      return typeof loan === "object" ? loan.link : undefined;
    } finally {
      this.release(true);
    }
  }

  /** Keeps the file readable when its name goes: by a link for unread Media, or else open. */
  async leaveName(): Promise<void> {
    if (this.#unreadHolds > 0) await this.#lend();
    this.#isNameless = true;
    if (this.#link !== undefined) return;
    this.#pinned = true;
    // If the file can't be opened now, later reads fail and say so.
    if (this.#file === undefined) await this.#reopen().catch(() => {});
  }

  get #isIdle(): boolean {
    return this.#open === 0 && !this.#pinned;
  }

  #park(): void {
    const canReopen = this.#link !== undefined || this.#isUnique;
    if (this.#isIdle && canReopen) this.#close();
  }

  /** Links the file, if it has no link and can have one. */
  async #lend(): Promise<void> {
    if (this.#link !== undefined || this.#isNameless) return;
    if (this.#file === undefined) return;
    await (this.#lending ??= this.#lent.lend(this.#file, this.#path)
      .then((loan) => {
        this.#lending = undefined;
        if (loan === "refused") return;
        // By name the file can't be opened again.
        if (loan === "renamed") this.#pinned = true;
        else if (this.#unreadHolds === 0) this.#lent.takeBack(loan.link);
        else this.#link = loan.link;
      }));
  }

  #reopen(): Promise<DiskFile> {
    return this.#opening ??= (async () => {
      try {
        const file = await this.#openAgain();
        if (this.#holders > 0) return this.#file = file;
        file.close();
        throw new MediaCacheError("Cannot read media: its reader has left");
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

  async #openAgain(): Promise<DiskFile> {
    if (this.#link !== undefined) {
      try {
        return await this.#fs.open(this.#link);
      } catch (error) {
        if (this.#isNameless || isTransient(error)) throw error;
        // Somebody removed the link.
        this.#link = undefined;
      }
    }
    const file = this.#isLost
      ? await this.#openSurely()
      : await this.#fs.open(this.#path);
    if (file?.identity === this.identity) return file;
    file?.close();
    throw new MediaCacheError("Cannot read media: its entry was replaced");
  }

  #close(): void {
    this.#isLost ||= !this.#isUnique;
    this.#file?.close();
    this.#file = undefined;
  }
}

/** The Python original rewrites files in place. */
function assertLength(found: number, wanted: number): void {
  if (found === wanted) return;
  throw new MediaCacheError(
    "Cannot read media: its file was rewritten by another program",
  );
}

/** Reports a disk fault; an entry that was removed or replaced is not a fault. */
function rethrow(error: unknown, onFault: OnFault): never {
  const isFault = error instanceof Error && "code" in error;
  if (isFault && !isNotFound(error)) onFault(error);
  throw error;
}

/** Keeps a file readable for an unread Media. */
export class FileHold {
  readonly #shared: SharedFile;
  readonly #leave: () => void;
  #state: "open" | "parked" | "released" = "open";

  /** Called by {@linkcode OpenFiles.holdUnread} alone. */
  constructor(shared: SharedFile, leave: () => void) {
    this.#shared = shared;
    this.#leave = leave;
    shared.holdUnread();
  }

  /** Whether the file can be closed, and opened again. */
  get mayPark(): boolean {
    return this.#shared.mayPark;
  }

  /** Needs the handle no more until the first read. */
  park(): void {
    if (this.#state !== "open") return;
    this.#state = "parked";
    this.#shared.giveWay();
  }

  /** Ends the hold. Idempotent. */
  release(): void {
    if (this.#state === "released") return;
    const open = this.#state === "open";
    this.#state = "released";
    this.#leave();
    this.#shared.releaseUnread(open);
  }
}
