import type { Calls } from "./async/open_calls.ts";
import type { Catalog } from "./catalog/catalog.ts";
import type { Commits } from "./catalog/commits.ts";
import type { DiskErrors } from "./reporting/disk_errors.ts";
import type { DiskStore } from "./disk/pair_store.ts";
import type { EventHub } from "./reporting/event_hub.ts";
import type { FileSystem } from "./disk/file_system.ts";
import type { OpenFiles } from "./disk/open_files.ts";
import type { ResolvedOptions } from "./api/resolved_options.ts";
import type { Orphans } from "./startup/orphan_sweeper.ts";
import type { Counters } from "./api/stats.ts";
import type { Writes } from "./entries/write_turns.ts";

/** The parts of the disk tier, which those that work on it share. */
export interface DiskTier {
  /** The cache's options. */
  readonly options: ResolvedOptions;
  /** The file system. */
  readonly fs: FileSystem;
  /** The directory. */
  readonly store: DiskStore;
  /** What is known of its entries. */
  readonly catalog: Catalog;
  /** Their open files. */
  readonly files: OpenFiles;
  /** What else lies there. */
  readonly orphans: Orphans;
  /** Waits until the catalog lists all entries that it counts. */
  readonly hydrated: () => Promise<void>;
  /** Everything that changes names in the directory, one after the other. */
  readonly writes: Writes;
  /** The commit that runs. */
  readonly commits: Commits;
  /** Calls that run. */
  readonly calls: Calls;
  /** Where failures go. */
  readonly errors: DiskErrors;
  /** Where events go. */
  readonly hub: EventHub;
  /** What is counted. */
  readonly counters: Counters;
}
