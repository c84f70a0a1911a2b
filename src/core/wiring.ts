import { Background } from "./async/background.ts";
import { OpenCalls } from "./async/open_calls.ts";
import { Catalog } from "./catalog/catalog.ts";
import { ChangeLog } from "./sharing/change_log.ts";
import { CHANGES_NAME, LENT_NAME } from "./disk/file_names.ts";
import type { Counters, Gauges } from "./api/stats.ts";
import { Deletion } from "./entries/deletion.ts";
import { DirectoryReconciler } from "./startup/reconciler.ts";
import { DiskErrors } from "./reporting/disk_errors.ts";
import { PairStore } from "./disk/pair_store.ts";
import { DownloadClaims } from "./sharing/download_claims.ts";
import { Discovery } from "./entries/discovery.ts";
import { EntryWriter } from "./entries/entry_writer.ts";
import type { EventHub } from "./reporting/event_hub.ts";
import { Eviction } from "./entries/eviction.ts";
import { FileSystem } from "./disk/file_system.ts";
import { IndexFile } from "./index/index_file.ts";
import { IndexKeeper } from "./index/index_keeper.ts";
import { roomForIndex } from "./index/indexing.ts";
import { inBlocks } from "./disk/blocks.ts";
import { RECORD_BYTES } from "./sharing/change_log_format.ts";
import { StagingBudget } from "./disk/staging_budget.ts";
import { LentFolder } from "./disk/lent_folder.ts";
import type { Lifetime } from "./bodies/cached_media.ts";
import { MediaLender } from "./bodies/media_lender.ts";
import { Loader } from "./startup/loader.ts";
import { Lookup } from "./entries/lookup.ts";
import { Handles } from "./notes/handles.ts";
import { NoteStore } from "./notes/note_store.ts";
import { OpenFiles } from "./disk/open_files.ts";
import { Peek } from "./entries/peek.ts";
import { LeftoverSweeper } from "./startup/leftover_sweeper.ts";
import { ReadCheck } from "./entries/read_check.ts";
import { type DropChanged, Remote } from "./remote/remote.ts";
import { Removal } from "./entries/removal.ts";
import type { Refusals } from "./disk/refusals.ts";
import type { ResolvedOptions } from "./api/options.ts";
import { Touches } from "./catalog/touches.ts";
import { writeLastUse } from "./entries/last_use.ts";
import { WriteTurns } from "./entries/write_turns.ts";

/** The parts of a cache that `MediaCache` uses, and hands to downloads and puts. */
export interface CacheParts {
  /** Counts and reports disk errors. */
  readonly errors: DiskErrors;
  /** The files of the directory. */
  readonly store: PairStore;
  /** The known entries. */
  readonly catalog: Catalog;
  /** The open files of entries. */
  readonly files: OpenFiles;
  /** Shared with all Media: once closed, only readers that have begun go on. */
  readonly lifetime: Lifetime;
  /** The known leftovers, and their removal. */
  readonly leftovers: LeftoverSweeper;
  /** Turns for changes of names in the directory. */
  readonly writes: WriteTurns;
  /** Counts the calls that use the disk. */
  readonly calls: OpenCalls;
  /** Writes uses to disk. */
  readonly touches: Touches;
  /** Finds entries. */
  readonly lookup: Lookup;
  /** Looks at entries and changes nothing. */
  readonly peek: Peek;
  /** Commits bodies. */
  readonly writer: EntryWriter;
  /** Deletes entries. */
  readonly deletion: Deletion;
  /** The notes of URLs. */
  readonly notes: NoteStore;
  /** The handles in the notes, and the calls that send by them. */
  readonly handles: Handles;
  /** Which process downloads which URL. */
  readonly claims: DownloadClaims;
  /** Fills the catalog. */
  readonly loader: Loader;
  /** Keeps the index on disk. */
  readonly keeper: IndexKeeper;
  /** The budget of staged bytes. */
  readonly staging: StagingBudget;
  /** Returns the bytes that all files take on disk, in whole blocks. */
  readonly occupiedBytes: () => number;
  /** The operations that the file system refuses. */
  readonly refusals: Refusals;
  /** The work with the remote tier; undefined where there is none. */
  readonly remote: Remote | undefined;
}

/**
 * Makes the parts of a cache, without I/O.
 *
 * @param drop Drops an entry that another host has deleted or replaced.
 */
export function makeParts(
  options: ResolvedOptions,
  hub: EventHub,
  counters: Counters,
  drop: DropChanged,
): CacheParts {
  const { readOnly } = options;
  const errors = new DiskErrors(hub, counters);
  const fs = new FileSystem((operation, error) =>
    errors.refused(operation, error)
  );
  const store = new PairStore(fs, options);
  const lent = new LentFolder(fs, store.path(LENT_NAME), readOnly);
  const files = new OpenFiles(
    fs,
    lent,
    (error) => errors.report("read a body", error),
  );
  const lender = new MediaLender(store, lent, errors);
  const lifetime = { closed: false, lender };
  const touches: Touches = new Touches(
    (entry, timeMs) => writeLastUse({ store, catalog, errors }, entry, timeMs),
    () => catalog,
  );
  const catalog: Catalog = new Catalog({
    maxItems: options.maxMemoryItems,
    maxBytes: options.maxMemoryBytes,
    maxItemBytes: options.maxMemoryItemBytes,
  }, readOnly ? undefined : touches);
  const calls = new OpenCalls();
  const staging = new StagingBudget(options.maxEntryBytes);

  const mayStage = !readOnly && options.maxEntryBytes > 0;
  const claims = new DownloadClaims(
    store,
    mayStage,
    (task) => writes.withLock(task),
  );
  const log = new ChangeLog(
    fs,
    store.path(CHANGES_NAME),
    () => store.sparePath(),
    readOnly,
    (error) => errors.report("lock the directory", error),
  );
  const reconciler: DirectoryReconciler = new DirectoryReconciler(
    { store, catalog, hub, errors },
    () => ({ leftovers }),
  );
  const writes = new WriteTurns(log, reconciler);
  const notes = new NoteStore({ store, calls, errors }, options);
  const leftovers = new LeftoverSweeper(store, lent, writes, notes, errors);

  const removal = new Removal({ store, catalog, files, leftovers, writes });
  const check = !options.verifyOnRead ? undefined : new ReadCheck(
    { store, catalog, leftovers, writes, removal, hub, errors },
    readOnly,
  );
  const discovery = new Discovery(
    { store, catalog, files, leftovers, writes, hub },
  );
  const peek = new Peek({ store, catalog, files, calls, errors, check });
  const lookup = new Lookup({
    ...{ store, catalog, files, writes, calls, errors },
    ...{ discovery, peek, check, counters },
  });

  const background = new Background();
  const index = new IndexFile(fs, (name) => store.path(name));
  const occupiedBytes = () =>
    catalog.occupiedBytes + leftovers.occupiedBytes + staging.occupiedBytes +
    notes.occupiedBytes + inBlocks(log.bytes) + inBlocks(index.bytes);
  const keeper = new IndexKeeper(
    { index, store, catalog, writes, background, errors },
    readOnly,
    () => options.maxDiskBytes - occupiedBytes() + inBlocks(index.bytes),
  );
  const loader: Loader = new Loader(
    {
      ...{ store, catalog, writes, calls, sweeper: leftovers, hub, errors },
      ...{ keeper, reconciler, touches, notes, background },
    },
    readOnly,
  );

  const eviction = new Eviction(
    { store, catalog, leftovers, notes, removal, errors, hub, counters },
    options,
    () =>
      // With the next record of the list, and the next index.
      leftovers.occupiedBytes + staging.occupiedBytes + notes.occupiedBytes +
      inBlocks(log.bytes + RECORD_BYTES) +
      Math.max(inBlocks(index.bytes), roomForIndex(catalog.entries + 1)),
  );
  const remote = options.remote &&
    new Remote(options.remote, { options, store, peek, hub }, drop);
  const writer = new EntryWriter(
    {
      ...{ store, catalog, files, leftovers, writes },
      ...{ eviction, removal, errors },
    },
    {
      budget: loader,
      record: keeper,
      revoke: async (key) => {
        // Before the commit: old handles must never stand beside new bytes.
        await notes.remove(key);
        await claims.revoke(key);
      },
      upload: remote &&
        ((key, size, replaces) => remote.upload(key, size, replaces)),
    },
  );
  const deletion = new Deletion(
    { store, catalog, leftovers, removal, writes, calls, hub, errors },
    {
      settled: () => loader.settled(),
      discover: () => loader.scan(() => {}),
      forgetIndex: () => keeper.forget(),
      revoke: async (key) => {
        await notes.remove(key).catch((error) =>
          errors.report("remove a note", error)
        );
        await claims.revoke(key);
      },
      clearNotes: () => notes.clear(),
      claimed: () => claims.claimed(),
    },
    readOnly,
  );
  const handles = new Handles({
    ...{ notes, counters },
    stampOf: async (key) => {
      try {
        return store.ready ? await store.sidecarStamp(key) : undefined;
      } catch (error) {
        errors.report("look at an entry", error);
        return undefined;
      }
    },
    known: (url) => catalog.peek(url),
    // Without a directory there is nothing to lock, and Deno might ask for a permission.
    undisturbed: (task) =>
      store.ready ? calls.run(() => writes.undisturbed(task)) : task(),
  });
  return {
    ...{ errors, store, catalog, files, leftovers, writes, calls, touches },
    ...{ lookup, peek, writer, deletion, claims, loader, keeper },
    ...{ notes, handles, lifetime },
    ...{ staging, occupiedBytes, refusals: fs.refusals, remote },
  };
}

/** The members of the stats that go up and down, apart from those of downloads. */
export function gaugesOf(
  parts: CacheParts,
): Omit<Gauges, "inFlight" | "maxBytes"> {
  const { catalog, leftovers, staging, refusals, remote } = parts;
  const { entries, totalBytes, memory } = catalog;
  return {
    entries,
    entriesInMemory: memory.count,
    totalBytes,
    memoryBytes: memory.bytes,
    stagedBytes: staging.bytes,
    orphanBytes: leftovers.bytes,
    occupiedBytes: parts.occupiedBytes(),
    comparing: catalog.isCounted && !catalog.isComplete,
    degraded: refusals.list,
    ...(remote !== undefined && { remote: remote.stats }),
  };
}

/** Writes pending uses and the index, and closes all files without readers. */
export async function closeParts(parts: CacheParts): Promise<void> {
  const { calls, catalog, loader, leftovers } = parts;
  const { writes, touches, keeper, files } = parts;
  const stopped = loader.stop();
  await calls.end();
  await leftovers.stop();
  await stopped;
  // The background work may have started the sweeper meanwhile.
  await leftovers.stop();
  await writes.withoutLock(() => touches.flush());
  if (catalog.isComplete) await keeper.save();
  else if (catalog.isCounted) await keeper.saveIfDue();
  keeper.close();
  await writes.close();
  await files.close();
}
