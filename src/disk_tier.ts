import type { Calls } from "./calls.ts";
import type { Catalog } from "./catalog.ts";
import type { Commits } from "./commits.ts";
import type { DiskErrors } from "./disk_errors.ts";
import type { DiskStore } from "./disk_store.ts";
import type { EventHub } from "./event_hub.ts";
import type { FileSystem } from "./file_system.ts";
import type { OpenFiles } from "./open_files.ts";
import type { ResolvedOptions } from "./resolved_options.ts";
import type { Orphans } from "./orphans.ts";
import type { Counters } from "./stats.ts";
import type { Writes } from "./writes.ts";

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
