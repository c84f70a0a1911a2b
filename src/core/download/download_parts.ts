import type { DownloadInfo } from "../api/download.ts";
import type { EventHub } from "../reporting/event_hub.ts";
import type { DiskErrors } from "../reporting/disk_errors.ts";
import type { Counters } from "../api/stats.ts";
import type { ResolvedOptions } from "../api/options.ts";
import type { OpenFiles } from "../disk/open_files.ts";
import type { PairStore } from "../disk/pair_store.ts";
import type { StagingBudget } from "../disk/staging_budget.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { Lifetime, MediaFacts } from "../bodies/cached_media.ts";
import type { WindowBudget } from "../bodies/chunk_window.ts";
import type { GrowingBodyEvents } from "../bodies/growing_body.ts";
import type { MediaBody } from "../bodies/media_body.ts";
import type { OriginValidators } from "../text/origin_conditions.ts";
import type { DownloadClaims } from "../sharing/download_claims.ts";
import type { GifConversion } from "../gif/gif_conversion.ts";
import type { EntryWriter } from "../entries/entry_writer.ts";
import type { Lookup } from "../entries/lookup.ts";
import type { Peek } from "../entries/peek.ts";
import type { Remote } from "../remote/remote.ts";
import type { CallerLink } from "./caller_links.ts";
import type { DownloadSlot, DownloadSlots } from "./download_slots.ts";
import type { RememberedFailures } from "./remembered_failures.ts";

/** The parts of the cache that its downloads work on. */
export interface DownloadParts {
  /** The cache's options. */
  readonly options: ResolvedOptions;
  /** The files of the directory. */
  readonly store: PairStore;
  /** The known entries. */
  readonly catalog: Catalog;
  /** The open files of entries. */
  readonly files: OpenFiles;
  /** Which process downloads which URL. */
  readonly claims: DownloadClaims;
  /** Finds entries. */
  readonly lookup: Lookup;
  /** Looks at entries and changes nothing. */
  readonly peek: Peek;
  /** Commits bodies. */
  readonly writer: EntryWriter;
  /** Counts and reports disk errors. */
  readonly errors: DiskErrors;
  /** The budget of staged bytes. */
  readonly staging: StagingBudget;
  /** Limits the downloads that run at the same time. */
  readonly slots: DownloadSlots;
  /** The memory of the windows of uncached downloads. */
  readonly windows: WindowBudget;
  /** GIF to MP4; undefined when the option is off. */
  readonly gifs: GifConversion | undefined;
  /** Emits events. */
  readonly hub: EventHub;
  /** The counters of the cache. */
  readonly counters: Counters;
  /** The lifetime of the cache. */
  readonly lifetime: Lifetime;
  /** The failures for which no request is made; undefined where none are remembered. */
  readonly failures: RememberedFailures | undefined;
  /** The work with the remote tier; undefined where there is none. */
  readonly remote: Remote | undefined;
}

/** A body for all callers, once its type is certain. */
export interface Handout {
  /** URL, type and name. */
  readonly facts: MediaFacts;
  /** The bytes of the whole body, where known. */
  readonly size: number | undefined;
  /** Holds the body for another Media. */
  readonly body: () => MediaBody;
}

/** The listener of all parts of a running download. */
export interface DownloadListener extends GrowingBodyEvents {
  /** Whether the body is still to be stored. */
  readonly mayStore: boolean;
  /** How often a failure that may pass is retried, before callers have bytes. */
  readonly retries: number;
  /** The callers; if one accepts some types only, `refuse()` is to be told the type. */
  readonly callers: { readonly isSelective: boolean };
  /** Refuses a type, which is certain, to callers that don't accept it; ends the task if none does. */
  refuse(mimetype: string): void;
  /**
   * Called when the downloader of a link has failed.
   *
   * @returns The link to be tried next.
   * @throws The error, if no other link may serve.
   */
  onRefused(link: CallerLink, error: unknown): CallerLink;
  /** Called once the type is certain. */
  onHandout(handout: Handout): void;
  /** Called with the bytes received so far, and the bytes of the whole body, where known. */
  onProgress(received: number, total: number | undefined): void;
  /** Called once the body can't be stored and goes on for its readers alone. */
  onUncached(reason: string): void;
  /** Called once the body is received, and stored if possible. */
  onEnded(): void;
}

/** The stored body that a download confirms or replaces. */
export interface Revalidated {
  /** The headers of the request; empty where the origin has sent no validator. */
  readonly conditions: Headers;
  /**
   * Whether these are the bytes that the origin has sent before. Asked when all of them
   * have come, before they are converted or stored.
   *
   * @param sha256 Their digest.
   * @param validators The validators that have come with them.
   */
  isSame(
    size: number,
    sha256: string,
    validators: OriginValidators,
  ): Promise<boolean>;
  /** Whether the entry still is on disk: it may have been evicted meanwhile. */
  isStored(): Promise<boolean>;
}

/** The URL of a download, its start, and its listener. */
export interface DownloadTask {
  /** The canonical URL. */
  readonly url: string;
  /** The key of the URL. */
  readonly key: string;
  /** The start of the download, in milliseconds since the epoch. */
  readonly startedAt: number;
  /** The start of the download by `performance.now()`, in milliseconds. */
  readonly started: number;
  /** Ends the download. */
  readonly controller: AbortController;
  /** Its slot among those of the cache. */
  readonly slot: DownloadSlot;
  /** The link of the caller that started the download. */
  readonly link: CallerLink;
  /** The present step. */
  phase: DownloadInfo["phase"];
  /** The listener of all parts. */
  readonly listener: DownloadListener;
  /** The stored body that the download is about; undefined for a download of a URL that is not stored. */
  readonly revalidated?: Revalidated;
}
