import { storedAtOf } from "./catalog/entry.ts";
import { PairStore } from "./disk/pair_store.ts";
import { FileSystem } from "./disk/file_system.ts";
import { OpenCalls } from "./async/open_calls.ts";
import { CHANGES_NAME, classify, datName } from "./disk/file_names.ts";
import { lastValidators } from "./notes/note.ts";
import { NoteStore } from "./notes/note_store.ts";
import {
  type PushCall,
  type Pushed,
  Pushing,
  type PushProgress,
} from "./remote/pushing.ts";
import { type Rekeyed, Rekeying } from "./entries/rekeying.ts";
import { WriteTurns } from "./entries/write_turns.ts";
import { ChangeLog } from "./sharing/change_log.ts";
import { OptionCheck } from "./api/option_check.ts";
import { resolveRemote } from "./api/remote_option.ts";
import type { RemoteTier } from "./api/remote_tier.ts";
import type { Sidecar } from "./disk/sidecar.ts";
import type { OriginValidators } from "./text/origin_conditions.ts";

export { occupiedBytesOf } from "./catalog/entry.ts";
export type { PushCall, Pushed, Pushing, PushProgress, Rekeyed, Rekeying };

/**
 * Makes what uploads the entries of a folder that a remote tier lacks.
 *
 * @param dir An existing folder.
 */
export function pushingOf(dir: string, tier: RemoteTier): Pushing {
  const options = { dir, durable: false, readOnly: true };
  const remote = resolveRemote(new OptionCheck("upload entries"), tier);
  const store = new PairStore(new FileSystem(), options);
  return new Pushing(store, tier, remote?.limits.maxEntryBytes ?? 0);
}

/**
 * Makes what gives the entries of a folder the keys of their canonical URLs.
 *
 * @param dir An existing folder.
 * @param readOnly Whether nothing is to be changed: `move()` must not be called then.
 */
export function rekeyingOf(
  dir: string,
  canonicalUrl: (url: string) => string,
  readOnly: boolean,
): Rekeying {
  const { store, writes } = writingIn(dir, readOnly);
  return new Rekeying(store, writes, canonicalUrl);
}

/** Evicts entries from a folder. */
export interface Evicting extends AsyncDisposable {
  /**
   * Removes the entry of a key, and leaves its note, unlike `delete()`.
   *
   * @throws The file system's error.
   */
  evict(key: string): Promise<void>;
}

/**
 * Makes what evicts entries from a folder. Caches that use the folder learn of that.
 *
 * @param dir An existing folder.
 */
export function evictingOf(dir: string): Evicting {
  const { store, writes } = writingIn(dir, false);
  return {
    evict: (key) =>
      writes.withLock(async () => {
        await writes.announceRemoval(key);
        await store.remove(key);
      }),
    [Symbol.asyncDispose]: () => writes.close(),
  };
}

/** Makes what changes a folder without a catalog. */
function writingIn(
  dir: string,
  readOnly: boolean,
): { store: PairStore; writes: WriteTurns } {
  const fs = new FileSystem();
  const store = new PairStore(fs, { dir, durable: false, readOnly });
  const path = store.path(CHANGES_NAME);
  const spare = () => store.sparePath();
  const log = new ChangeLog(fs, path, spare, readOnly, () => {});
  const learnNothing = () => Promise.resolve();
  const writes = new WriteTurns(log, {
    refresh: learnNothing,
    refreshAll: learnNothing,
  });
  return { store, writes };
}

/** A .part file: of an entry that is being stored, or left by a killed process. */
export interface StagedPart {
  /** The name of the file. */
  readonly name: string;
  /** The size of the file in bytes. */
  readonly size: number;
  /** Whether a process is writing the file. */
  readonly locked: boolean;
}

/**
 * The flag of Deno that is missing to use a folder; undefined when none is. Never
 * prompts.
 */
export function missingPermission(
  dir: string,
  write: boolean,
): string | undefined {
  return new FileSystem().missingPermission(dir, write);
}

/** The files of one key. */
export interface Inspection {
  /** The key, in hexadecimal. */
  readonly key: string;
  /** Why there is no entry; undefined when there is one. */
  readonly reason: string | undefined;
  /** The sidecar, if it is valid. */
  readonly sidecar: Sidecar | undefined;
  /** The size of the .dat in bytes, if there is one. */
  readonly size: number | undefined;
  /** When the entry was stored, in milliseconds since the epoch; 0 if the sidecar lacks it. */
  readonly storedAt: number | undefined;
  /** The last use, in milliseconds since the epoch. */
  readonly lastAccess: number | undefined;
  /**
   * The places whose handles are known, the place set last first. Handles are not shown:
   * with the token of its bot a handle gives access to the media.
   */
  readonly places: readonly string[];
  /** When the origin last confirmed the bytes, in milliseconds since the epoch. */
  readonly validatedAt: number | undefined;
  /** The validators by which the origin is asked. */
  readonly validators: OriginValidators;
  /** The .part files of the key. */
  readonly staged: readonly StagedPart[];
}

/** Looks at the files of a key, and changes nothing. */
export class Inspector {
  readonly #store: PairStore;
  readonly #notes: NoteStore;

  /** `dir` is an existing folder. */
  constructor(dir: string) {
    const options = { dir, durable: false, readOnly: true };
    const store = this.#store = new PairStore(new FileSystem(), options);
    // A note that the disk can't read counts as none.
    const errors = { report() {} };
    this.#notes = new NoteStore({ store, calls: new OpenCalls(), errors }, {
      ...options,
      maxDiskBytes: Infinity,
    });
  }

  /** The keys that begin with `prefix` and have a file in the folder. */
  async keysFrom(prefix: string): Promise<Set<string>> {
    const keys = new Set<string>();
    for await (const { name } of this.#store.list()) {
      const { key } = classify(name);
      if (key !== "" && key.startsWith(prefix)) keys.add(key);
    }
    return keys;
  }

  /** Looks at the files of a key. */
  async inspect(key: string): Promise<Inspection> {
    const note = await this.#notes.read(key);
    const nothing = {
      key,
      sidecar: undefined,
      size: undefined,
      storedAt: undefined,
      lastAccess: undefined,
      places: [...note?.handles.keys() ?? []].reverse(),
      validatedAt: note?.validatedAt,
      validators: {},
      staged: await this.#staged(key),
    };
    try {
      const found = await this.#store.find(key);
      if (found !== undefined && "file" in found) {
        found.file.close();
        const { sidecar, facts: { size, mtimeMs } } = found;
        // As entries() has it: a time of the future counts as now.
        const lastAccess = Math.min(mtimeMs, Date.now());
        return {
          ...nothing,
          ...{ reason: undefined, sidecar, size, lastAccess },
          storedAt: storedAtOf(sidecar.ts),
          validators: lastValidators(note, sidecar),
        };
      }
      const dat = await this.#store.facts(datName(key));
      const reason = found?.reason ??
        (dat === undefined
          ? "nothing is stored under its key"
          : "its sidecar is missing");
      return { ...nothing, reason, size: dat?.size };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return { ...nothing, reason };
    }
  }

  async #staged(key: string): Promise<StagedPart[]> {
    const parts: StagedPart[] = [];
    for await (const { name } of this.#store.list()) {
      const found = classify(name);
      if (found.kind !== "staged" || found.key !== key) continue;
      const facts = await Promise.try(() => this.#store.facts(name))
        .catch(() => undefined);
      if (facts === undefined) continue;
      const locked = await this.#store.isLocked(name) === true;
      parts.push({ name, size: facts.size, locked });
    }
    return parts;
  }
}
