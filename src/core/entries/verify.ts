import { isNotPermitted } from "../disk/disk_fault.ts";
import type { OpenCalls } from "../async/open_calls.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { DiskErrors } from "../reporting/disk_errors.ts";
import type { PairStore } from "../disk/pair_store.ts";
import type { OpenFiles } from "../disk/open_files.ts";
import type { WriteTurns } from "./write_turns.ts";
import type { VerifyReport } from "../api/verify_report.ts";
import type { VerifyOptions } from "../api/call_options.ts";
import type { ByteReader } from "../bodies/byte_reader.ts";
import type { DiskFile } from "../disk/disk_file.ts";
import { WRONG_DIGEST } from "./read_check.ts";
import { classify, datName, pairOf } from "../disk/file_names.ts";
import type { Leftover, Leftovers } from "./leftovers.ts";
import type { NoteStore } from "../notes/note_store.ts";
import { scan } from "./scan.ts";
import { StoredReader } from "../bodies/stored_body.ts";
import { Pacer } from "../async/pacer.ts";

/** The parts of the cache that `verify()` works on. */
export interface VerifyParts {
  /** The files of the directory. */
  readonly store: PairStore;
  /** The known entries. */
  readonly catalog: Catalog;
  /** The open files of entries. */
  readonly files: OpenFiles;
  /** The known leftovers. */
  readonly leftovers: Leftovers;
  /** Turns for changes of names in the directory. */
  readonly writes: WriteTurns;
  /** Counts the calls that use the disk. */
  readonly calls: OpenCalls;
  /** Counts and reports disk errors. */
  readonly errors: DiskErrors;
  /** The notes of URLs. */
  readonly notes: NoteStore;
}

/** Checks all files: lengths, digests where the sidecar has one, leftovers, notes. */
export async function verify(
  { fix = false }: VerifyOptions,
  parts: VerifyParts,
  readOnly: boolean,
): Promise<VerifyReport> {
  const { store, catalog, files, leftovers, writes, calls, errors, notes } =
    parts;
  const report: VerifyReport = {
    entries: 0,
    bytes: 0,
    digests: 0,
    problems: [],
    fixed: 0,
  };
  const forget = async (key: string) => {
    await files.rescue(store.datPath(key));
    const entry = catalog.byKey(key);
    if (entry !== undefined) catalog.forget(entry.url);
  };
  const remove = async (names: readonly string[]) => {
    if (!fix || readOnly) return;
    try {
      for (const name of names) {
        const { kind, key } = classify(name);
        if (kind === "staged") {
          if (!await store.removeStaged(name)) return;
          continue;
        }
        await writes.announceRemoval(key);
        await forget(key);
        await store.removeFile(name);
      }
      leftovers.forget(names);
      report.fixed++;
    } catch (error) {
      errors.report("remove what is wrong", error);
    }
  };
  const keys: string[] = [];
  const found: Leftover[] = [];
  let noteKeys: readonly string[] = [];

  await store.prepare();
  try {
    await scan(store, catalog.keyChanges, {
      onEntry: ({ key }) => keys.push(key),
      onLeftover: (leftover) => found.push(leftover),
      onNotes: (keys) => {
        noteKeys = keys;
      },
      undisturbed: (look) => writes.undisturbed(look),
    });
  } catch (error) {
    // The permission to read may have been revoked since the directory was prepared.
    throw isNotPermitted(error) ? store.unusable(error) : error;
  }
  for (const leftover of found) {
    const { names, bytes, reason } = leftover;
    const young = leftovers.isYoung(leftover, Date.now());
    report.problems.push({ names, bytes, reason, young });
    // The sweeper would remove an old leftover at the same time as the lines below.
    if (young || !fix || readOnly) leftovers.add(leftover);
    if (young) {
      if (fix && !readOnly) await leftovers.date(leftover);
      continue;
    }
    await writes.withLock(async () => {
      if (!await leftovers.areNeeded(names)) await remove(names);
    });
  }

  const pacer = new Pacer();
  for (const key of noteKeys) {
    calls.check();
    if (pacer.due) await pacer.yield();
    const broken = await notes.check(key, fix && !readOnly);
    if (broken === undefined) continue;
    const { name, bytes, reason, isRemoved } = broken;
    report.problems.push({ names: [name], bytes, reason, young: false });
    if (isRemoved) report.fixed++;
  }

  for (const key of keys) {
    calls.check();
    if (pacer.due) await pacer.yield();
    const found = await store.find(key);
    if (found === undefined || !("file" in found)) continue;
    const { size } = found.facts;
    const { sha256 } = found.sidecar;
    // Kept open until the end, so that no other file can get its inode meanwhile.
    using file = found.file;
    const digest = sha256 && await digestOf(file, size);
    if (digest === sha256) {
      report.entries++;
      report.bytes += size;
      if (digest) report.digests++;
      continue;
    }
    const names = pairOf(key);
    const reason = WRONG_DIGEST;
    report.problems.push({ names, bytes: size, reason, young: false });
    await writes.withLock(async () => {
      // Another process may have replaced the entry meanwhile.
      const now = await store.facts(datName(key));
      if (now?.identity === found.facts.identity) await remove(names);
    });
  }
  return report;
}

async function digestOf(file: DiskFile, size: number): Promise<string> {
  const reader: ByteReader = new StoredReader(
    (view, position) => file.readAt(view, position),
    0,
    size,
    undefined,
    () => {},
  );
  // Loaded on demand: with its WebAssembly the module takes more memory than an idle
  // cache.
  const { crypto } = await import("@std/crypto/crypto");
  const digest = await crypto.subtle.digest("SHA-256", pieces(reader));
  return new Uint8Array(digest).toHex();
}

async function* pieces(
  reader: ByteReader,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const pacer = new Pacer();
  for (
    let piece = await reader.read();
    piece !== undefined;
    piece = await reader.read()
  ) {
    yield piece;
    if (pacer.due) await pacer.yield();
  }
}
