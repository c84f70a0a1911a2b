import type { VerifyReport } from "../api/verify_report.ts";
import type { VerifyOptions } from "../api/call_options.ts";
import type { ByteReader } from "../bodies/byte_reader.ts";
import type { DiskTier } from "../disk_tier.ts";
import type { DiskFile } from "../disk/disk_file.ts";
import { WRONG_DIGEST } from "./read_check.ts";
import { classify, pairOf } from "../disk/file_names.ts";
import type { Leftover } from "./leftovers.ts";
import { scan } from "../startup/scan.ts";
import { StoredReader } from "../bodies/stored_body.ts";
import { Turns } from "../async/turns.ts";

/** Checks all files: lengths, digests where a sidecar has one, leftovers. */
export async function verify(
  { fix = false }: VerifyOptions,
  { options, fs, store, writes, catalog, files, orphans, calls, errors }:
    DiskTier,
): Promise<VerifyReport> {
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
    if (!fix || options.readOnly) return;
    try {
      for (const name of names) {
        const { kind, key } = classify(name);
        if (kind !== "staged") {
          await writes.announceRemoval(key);
          await forget(key);
        }
        await store.removeFile(name);
      }
      orphans.forget(names);
      report.fixed++;
    } catch (error) {
      errors.report("remove what is wrong", error);
    }
  };
  const keys: string[] = [];
  const leftovers: Leftover[] = [];

  await store.prepare();
  // In turn with commits, which would look like leftovers half-way.
  await writes.alone(() =>
    scan(fs, store, {
      onEntry: ({ key }) => keys.push(key),
      onLeftover: (leftover) => {
        leftovers.push(leftover);
        orphans.add(leftover);
      },
    })
  );
  for (const leftover of leftovers) {
    const { names, bytes, reason } = leftover;
    const young = orphans.isYoung(leftover, Date.now());
    report.problems.push({ names, bytes, reason, young });
    if (young) {
      if (fix && !options.readOnly) await orphans.date(leftover);
      continue;
    }
    await writes.run(async () => {
      if (!await orphans.areNeeded(names)) await remove(names);
    });
  }

  const turns = new Turns();
  for (const key of keys) {
    calls.check();
    if (turns.due) await turns.next();
    const found = await store.find(key);
    if (found === undefined || !("file" in found)) continue;
    const { size } = found.facts;
    const { sha256 } = found.sidecar;
    // Open until the end: no other file can have its inode before.
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
    await writes.run(async () => {
      // Another process may have replaced it meanwhile.
      const now = await fs.facts(store.datPath(key));
      if (now?.inode === found.facts.inode) await remove(names);
    });
  }
  return report;
}

async function digestOf(file: DiskFile, size: number): Promise<string> {
  const reader: ByteReader = new StoredReader(
    (view, position) => file.readAt(view, position),
    0,
    size,
    () => {},
    () => {},
  );
  // Loaded when it is needed: with its WebAssembly it takes more memory than an
  // idle cache does.
  const { crypto } = await import("@std/crypto/crypto");
  const digest = await crypto.subtle.digest("SHA-256", pieces(reader));
  return new Uint8Array(digest).toHex();
}

async function* pieces(
  reader: ByteReader,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const turns = new Turns();
  for (
    let piece = await reader.read();
    piece !== undefined;
    piece = await reader.read()
  ) {
    yield piece;
    if (turns.due) await turns.next();
  }
}
