import type { EventHub } from "../reporting/event_hub.ts";
import type { DiskErrors } from "../reporting/disk_errors.ts";
import type { Counters } from "../api/stats.ts";
import type { ResolvedOptions } from "../api/options.ts";
import type { Semaphore } from "../async/semaphore.ts";
import type { OpenFiles } from "../disk/open_files.ts";
import type { PairStore } from "../disk/pair_store.ts";
import type { StagingBudget } from "../disk/staging_budget.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { MediaFacts } from "../bodies/cached_media.ts";
import type { GrowingBodyEvents } from "../bodies/growing_body.ts";
import type { Lifetime } from "../bodies/lease.ts";
import type { MediaBody } from "../bodies/media_body.ts";
import type { OnServed } from "../bodies/stored_body.ts";
import type { DownloadClaims } from "../sharing/download_claims.ts";
import type { GifConversion } from "../gif/gif_conversion.ts";
import type { EntryWriter } from "../entries/entry_writer.ts";
import type { Lookup } from "../entries/lookup.ts";

/** The parts of the cache that its downloads work on. */
export interface DownloadParts {
  /** The cache's options. */
  readonly options: ResolvedOptions;
  /** The files of the directory. */
  readonly store: PairStore;
  /** What is known of the entries. */
  readonly catalog: Catalog;
  /** The open files of entries. */
  readonly files: OpenFiles;
  /** Which process downloads what. */
  readonly claims: DownloadClaims;
  /** Finds entries. */
  readonly lookup: Lookup;
  /** Makes bodies entries. */
  readonly writer: EntryWriter;
  /** Where failures of the disk go. */
  readonly errors: DiskErrors;
  /** The budget of staged bytes. */
  readonly staging: StagingBudget;
  /** The downloads that may run at a time. */
  readonly slots: Semaphore;
  /** GIF to MP4; undefined when it is off. */
  readonly gifs: GifConversion | undefined;
  /** Where events go. */
  readonly hub: EventHub;
  /** What is counted. */
  readonly counters: Counters;
  /** The cache. */
  readonly lifetime: Lifetime;
  /** Told how many bytes a reader was handed. */
  readonly onServed: OnServed;
  /** Whether all that lies in the directory is known. */
  isWhole(): boolean;
}

/** What every caller is given once the type is certain. */
export interface Handout {
  /** Type and name. */
  readonly facts: MediaFacts;
  /** Bytes in all, where known. */
  readonly size: number | undefined;
  /** Holds the bytes for one more Media. */
  readonly body: () => MediaBody;
}

/** What a running download asks and tells, whichever part of it: one object hears all. */
export interface DownloadListener extends GrowingBodyEvents {
  /** Whether the body shall still be stored. */
  readonly isWanted: boolean;
  /** The type is certain. */
  onHandout(handout: Handout): void;
  /** Bytes have come. */
  onProgress(received: number, total: number | undefined): void;
  /** The body can't be stored; it goes on for its readers alone. */
  onUncached(reason: string): void;
  /** All has come, and what could be stored is. */
  onEnded(): void;
}

/** What one download is of, and whom it tells. */
export interface DownloadTask {
  /** The canonical URL. */
  readonly url: string;
  /** Its key. */
  readonly key: string;
  /** When it began, in milliseconds since the epoch. */
  readonly startedAt: number;
  /** The same on the clock that nobody sets. */
  readonly started: number;
  /** Ends it. */
  readonly controller: AbortController;
  /** Whom it tells. */
  readonly listener: DownloadListener;
}
