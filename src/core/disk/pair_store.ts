import { MediaCacheError } from "../api/errors.ts";
import {
  CacheDirectory,
  type CacheDirectoryOptions,
} from "./cache_directory.ts";
import {
  type DiskFile,
  type FileFacts,
  readUnchangedSync,
} from "./disk_file.ts";
import { areSameState, type FileState, stampOf } from "./file_identity.ts";
import { DAT_END, descriptionName, JSON_END } from "./file_names.ts";
import { isNotFound } from "./disk_fault.ts";
import type { FileSystem } from "./file_system.ts";
import type { MaybePromise } from "./io_mode.ts";
import {
  formatSidecar,
  MAX_SIDECAR_BYTES,
  mismatchOf,
  parseSidecar,
  type Sidecar,
  type StampedSidecar,
} from "./sidecar.ts";
import {
  FollowedDescription,
  StagedDescription,
  type StagedFacts,
  type StagedPause,
} from "./staged_description.ts";
import { StagedFile, type StagedName, type StagedPair } from "./staged_file.ts";

/** A pair of files that fit each other. */
export interface Found {
  /** The sidecar, its `size` set to the length of the .dat. */
  readonly sidecar: StampedSidecar;
  /** The open .dat. */
  readonly file: DiskFile;
  /** The facts of the .dat. */
  readonly facts: FileFacts;
}

/** A pair that must not be served. */
export interface Broken {
  /** Why the pair must not be served. */
  readonly reason: string;
}

/**
 * The mtime of a put's sidecar is before the present by `max` at most, and by more than
 * `max - range` (ms): more than a file may be young, less than .part files stay.
 */
const SIDECAR_AGE_MS = { max: 1_500, range: 1_000 };

const ENCODER = new TextEncoder();

/** Reads and replaces the pairs of .dat and .json in a directory. */
export class PairStore extends CacheDirectory {
  readonly #fs: FileSystem;
  readonly #durable: boolean;

  /** `fs` is the file system of the directory. */
  constructor(fs: FileSystem, options: CacheDirectoryOptions) {
    super(fs, options);
    this.#fs = fs;
    this.#durable = options.durable;
  }

  /** The path of an entry's .dat. */
  datPath(key: string): string {
    return this.prefix + key + DAT_END;
  }

  /** The path of an entry's sidecar. */
  jsonPath(key: string): string {
    return this.prefix + key + JSON_END;
  }

  /**
   * Opens the body of `key`, whatever its sidecar says.
   *
   * @throws {Deno.errors.NotFound} If there is none.
   */
  openBody(key: string): MaybePromise<DiskFile> {
    return this.#fs.open(this.datPath(key));
  }

  /**
   * Reads the body of `key` whole. Undefined unless its file is in the known state, and as
   * well after a fault: the caller then opens the file, and meets the fault again.
   */
  readBody(
    key: string,
    known: FileState,
  ): MaybePromise<Uint8Array<ArrayBuffer> | undefined> {
    const path = this.datPath(key);
    return this.#fs.io.run(
      () => readUnchangedSync(path, known),
      () => this.#readBody(path, known).catch(() => undefined),
    );
  }

  async #readBody(
    path: string,
    known: FileState,
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    using file = await this.#fs.open(path);
    if (!areSameState(file.opened, known)) return undefined;
    const room = new Uint8Array(known.size + 1);
    const count = await file.readAt(room, 0);
    return count === known.size ? room.subarray(0, count) : undefined;
  }

  /** Makes a file to stage a body of `key` in, locked against cleaners. */
  async stage(key: string): Promise<StagedFile> {
    const path = this.sparePath(key);
    const file = await this.create(path);
    try {
      file.tryLock();
      return this.staged(path, file);
    } catch (error) {
      file.close();
      await this.discard(path);
      throw error;
    }
  }

  /**
   * Stages small bytes and their sidecar, without locks: for a commit that comes at once.
   *
   * The mtime of the sidecar lies a little back, so that a file written later has another
   * stamp, see `isYoung()`: other programs date with the present, and a process that has
   * removed the sidecar before knows of more changes than the process that wrote it.
   *
   * @param timeMs The times of the body, in milliseconds since the epoch.
   * @param changes The number of known changes in the directory, which grows with each; if
   * undefined, the sidecar is dated with the present.
   */
  async stageBytes(
    key: string,
    bytes: Uint8Array,
    sidecar: Sidecar,
    timeMs: number,
    changes?: number,
  ): Promise<StagedPair> {
    const path = this.sparePath(key);
    const body = { path, state: await this.writeNew(path, bytes, timeMs) };
    const { max, range } = SIDECAR_AGE_MS;
    const datedMs = changes === undefined
      ? undefined
      : Date.now() - max + changes % range;
    try {
      const json = await this.#stageSidecar(key, sidecar, datedMs);
      return { sidecar, body, json };
    } catch (error) {
      await this.discard(path);
      throw error;
    }
  }

  /**
   * Completes a staged file and its sidecar.
   *
   * @param timeMs The times of the body, in milliseconds since the epoch.
   */
  async complete(
    key: string,
    staged: StagedFile,
    sidecar: Sidecar,
    timeMs: number,
  ): Promise<StagedPair> {
    const date = (path: string) => this.#fs.touch(path, timeMs);
    const body = await staged.complete(date, this.#durable);
    const { description } = staged;
    if (description === undefined) {
      return {
        sidecar,
        body,
        json: await this.#stageSidecar(key, sidecar),
        staged,
      };
    }
    const text = formatSidecar(sidecar);
    const state = await description.complete(text, this.#durable);
    return { sidecar, body, json: { path: description.path, state }, staged };
  }

  async #stageSidecar(
    key: string,
    sidecar: Sidecar,
    timeMs?: number,
  ): Promise<StagedName> {
    const path = this.sparePath(key);
    const text = ENCODER.encode(formatSidecar(sidecar));
    return { path, state: await this.writeNew(path, text, timeMs) };
  }

  /** Removes the files of a pair that was not committed. */
  async discardPair({ body, json }: StagedPair): Promise<void> {
    await this.discard(body.path);
    await this.discard(json.path);
  }

  /**
   * Takes over a file that was made to stage a body in.
   *
   * @param identity The identity of the file, if another file may take its path.
   */
  staged(path: string, file: DiskFile, identity?: number): StagedFile {
    const remove = async (path: string, identity?: number) => {
      const isNamed = await this.#isNamed(path, identity).catch(() => true);
      if (isNamed) await this.discard(path);
    };
    return new StagedFile(path, file, remove, identity);
  }

  /**
   * Puts a description beside a staged file, for followers, or changes the one that is
   * there.
   *
   * @throws {Deno.errors.AlreadyExists} If another download still has the name.
   * @throws The file system's error.
   */
  async describe(
    key: string,
    staged: StagedFile,
    facts: StagedFacts | StagedPause,
  ): Promise<void> {
    if (staged.description?.isNamed) {
      return await staged.description.tell(facts);
    }
    const path = this.path(descriptionName(key));
    await staged.describe(async () => {
      const { identity } = await staged.file.facts();
      return await StagedDescription.create(this.#fs, path, facts, identity);
    });
  }

  /** Makes a reader of the description beside the staged file with that identity. */
  description(key: string, identity: number): FollowedDescription {
    const path = this.path(descriptionName(key));
    return new FollowedDescription(this.#fs, path, identity);
  }

  /** Renames a staged file and its description to spare paths of `key`. */
  moveAside(key: string, staged: StagedFile): Promise<void> {
    return staged.rename(async (from, identity) => {
      if (!await this.#isNamed(from, identity)) return from;
      const to = this.sparePath(key);
      await this.#fs.rename(from, to);
      return to;
    });
  }

  /**
   * Links a staged file to a spare path, which the caller discards; undefined where the
   * file system refuses links.
   *
   * @throws {Deno.errors.NotFound} If the file has lost its name.
   */
  linkStaged(staged: StagedFile): Promise<string | undefined> {
    return staged.link(async (from) => {
      const to = this.sparePath();
      try {
        return await this.#fs.linkOpen(staged.file, from, to) ? to : undefined;
      } catch (error) {
        await this.discard(to);
        throw error;
      }
    });
  }

  /**
   * Whether a path still is the name of a file. A deletion in another process frees the
   * names of a download, which the next one may have by now.
   *
   * @param identity The identity of the file; undefined for a name that no other file takes.
   */
  async #isNamed(path: string, identity?: number): Promise<boolean> {
    if (identity === undefined) return true;
    return (await this.#fs.facts(path))?.identity === identity;
  }

  /**
   * Makes a staged pair the entry of `key`, in place of any.
   *
   * The old sidecar goes first and the new one comes last, so that a kill at any
   * instant leaves the old pair, or the new one, or a .dat without a sidecar; a
   * new body never stands beside an old sidecar. After a power cut a disk may have
   * kept the steps in another order, so a durable commit syncs the directory between
   * them.
   */
  async commit(
    key: string,
    { sidecar: { size }, body, json, staged }: StagedPair,
    dat: string = this.datPath(key),
  ): Promise<void> {
    if (body.state.size !== size) {
      throw new MediaCacheError(
        `Cannot store entry: ${body.path} must have ${size} bytes: found ${body.state.size}`,
      );
    }
    const sidecar = this.jsonPath(key);
    const description = staged?.description;
    const made: string[] = [];
    try {
      if (await this.#fs.probablyExists(sidecar)) {
        await this.#assertNamed(body);
        await this.#assertNamed(json);
        await this.#fs.remove(sidecar);
      }
      // An old sidecar, removed now or earlier, must not come back beside the new .dat.
      if (this.#durable) await this.#syncNames();
      const replaces = this.#durable && await this.#fs.exists(dat);
      await this.#fs.rename(body.path, dat);
      made.push(dat);
      staged?.committed();
      // The new sidecar must not come beside the old .dat.
      if (replaces) await this.#syncNames();
      await this.#fs.rename(json.path, sidecar);
      made.unshift(sidecar);
      if (this.#durable) await this.#syncNames();
    } catch (error) {
      for (const path of [json.path, ...made]) await this.discard(path);
      throw error;
    } finally {
      if (description !== undefined) description.isNamed = false;
    }
  }

  /**
   * Makes the entry of one key that of another, in place of any. A kill at any instant
   * leaves the entry under one of both: the new sidecar comes first, which is no entry
   * until the body has the new name, and the old sidecar goes last.
   *
   * @param sidecar The new sidecar, of the same body.
   */
  async rekey(from: string, to: string, sidecar: Sidecar): Promise<void> {
    const { path } = await this.#stageSidecar(to, sidecar);
    try {
      await this.remove(to);
      await this.#fs.rename(path, this.jsonPath(to));
      await this.#syncNames();
      await this.#fs.rename(this.datPath(from), this.datPath(to));
      await this.#syncNames();
    } catch (error) {
      for (const each of [path, this.jsonPath(to)]) await this.discard(each);
      throw error;
    }
    await this.#fs.remove(this.jsonPath(from));
  }

  /**
   * Makes sure that a staged file still has its name, before the old entry is removed:
   * anybody may delete a .part file.
   *
   * @throws {Deno.errors.NotFound} If the file has lost its name.
   */
  async #assertNamed({ path, state }: StagedName): Promise<void> {
    const facts = await this.#fs.facts(path);
    if (facts?.identity === state.identity) return;
    throw new Deno.errors.NotFound(
      `Cannot replace entry: ${path} must be the staged file: it has gone`,
    );
  }

  /** The facts of the body of `key`; undefined when there is none. */
  bodyFacts(key: string): MaybePromise<FileFacts | undefined> {
    return this.#fs.facts(this.datPath(key));
  }

  /**
   * The identity of the file that has the name of a body, whoever put it there; undefined
   * when there is none, or the disk fails.
   */
  async bodyIdentity(key: string): Promise<number | undefined> {
    const path = this.datPath(key);
    try {
      return await this.#fs.probablyExists(path)
        ? (await this.#fs.facts(path))?.identity
        : undefined;
    } catch {
      return undefined;
    }
  }

  /** Whether `key` has a sidecar; false as well where the directory can't be searched. */
  hasSidecar(key: string): MaybePromise<boolean> {
    return this.#fs.probablyExists(this.jsonPath(key));
  }

  /** The present stamp of the sidecar of `key`; undefined when there is no sidecar. */
  sidecarStamp(key: string): MaybePromise<number | undefined> {
    const facts = this.#fs.facts(this.jsonPath(key));
    if (facts instanceof Promise) return facts.then((it) => it && stampOf(it));
    return facts && stampOf(facts);
  }

  /** Removes a file of no entry, or of a broken pair; false when there was none. */
  removeFile(name: string): Promise<boolean> {
    return this.#fs.remove(this.path(name));
  }

  /**
   * Opens the pair of `key`, whoever wrote it.
   *
   * The .dat is opened first and looked at again after the sidecar was read: if
   * it still is the file of that name, no commit can have come between, since a
   * new sidecar appears only after its .dat.
   */
  async find(key: string): Promise<Found | Broken | undefined> {
    await this.prepare();
    for (let tries = 0; tries < 3; tries++) {
      if (!await this.#fs.exists(this.jsonPath(key))) return undefined;
      let file: DiskFile;
      try {
        file = await this.#fs.open(this.datPath(key));
      } catch (error) {
        if (!isNotFound(error)) throw error;
        // A commit may have replaced the .dat between the look and the open.
        if (await this.#fs.facts(this.datPath(key))) continue;
        return { reason: "its .dat is missing" };
      }
      const found = await this.#check(key, file).catch((error) => {
        file.close();
        throw error;
      });
      if (found === undefined || !("file" in found)) file.close();
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /**
   * Reads the sidecar of `key`; undefined when there is none.
   *
   * @param isListed True if {@linkcode FileSystem.list} has just listed it as a regular
   * file.
   */
  async readSidecar(
    key: string,
    isListed = false,
  ): Promise<StampedSidecar | Broken | undefined> {
    if (!this.ready) await this.prepare();
    try {
      const path = this.jsonPath(key);
      const { text, state } = await this.#fs.readText(
        path,
        MAX_SIDECAR_BYTES,
        isListed,
      );
      if (text === undefined) return { reason: "sidecar is too long" };
      const sidecar = parseSidecar(text, key);
      return typeof sidecar === "string"
        ? { reason: sidecar }
        : { ...sidecar, stamp: stampOf(state), writtenMs: state.mtimeMs };
    } catch (error) {
      if (isNotFound(error)) return undefined;
      if (error instanceof TypeError) return { reason: "sidecar is not UTF-8" };
      throw error;
    }
  }

  /**
   * Removes the pair of `key`, the sidecar first; false when there was none.
   *
   * @param bytes The length of the body, where it is known.
   */
  async remove(key: string, bytes?: number): Promise<boolean> {
    const hadSidecar = await this.#fs.remove(this.jsonPath(key));
    const hadBody = await this.#fs.remove(this.datPath(key), bytes);
    return hadSidecar && hadBody;
  }

  /**
   * Sets the last access of `key`, in milliseconds since the epoch; false when the .dat
   * is gone, or the file system refuses to set times.
   */
  async touch(key: string, timeMs: number): Promise<boolean> {
    try {
      return await this.#fs.touch(this.datPath(key), timeMs);
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }

  async #check(
    key: string,
    file: DiskFile,
  ): Promise<Found | Broken | undefined> {
    const facts = await file.facts();
    const sidecar = await this.readSidecar(key);
    if (sidecar === undefined || "reason" in sidecar) return sidecar;
    const now = await this.#fs.facts(this.datPath(key));
    if (now?.identity !== facts.identity) return undefined;
    const reason = mismatchOf(sidecar, facts.size);
    if (reason !== undefined) return { reason };
    return { sidecar: { ...sidecar, size: facts.size }, file, facts };
  }

  /** Makes the names in the directory survive a power cut, if commits must. */
  async #syncNames(): Promise<void> {
    if (this.#durable) await this.#fs.syncDirectory(this.dir);
  }
}
