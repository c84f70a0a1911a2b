import { inBlocks } from "./blocks.ts";

/** Reason: the sidecar of the body would be too long to be read. */
export const URL_TOO_LONG = "its URL is too long for a sidecar";
/** Reason: the body is above maxEntryMb. */
export const TOO_LARGE = "it is larger than maxEntryMb";
/** Reason: other staged bodies take the room at the moment. */
export const CROWDED = "running downloads take all that maxEntryMb allows";
/** Reason: no entry may go, or too few are there, to keep within maxDiskMb. */
export const NO_ROOM_ON_DISK = "maxDiskMb leaves no room for it";

/**
 * The pace of a download is that of about its last ten seconds (ms). A longer time
 * without any write or reservation counts as this: the event loop may have been held.
 */
const PACE_MS = 10_000;

/** A download that has just begun counts as if it had received this many bytes. */
const HEAD_START_BYTES = 16_384;

/** A borrower is taken to come at least as fast as this (bytes a millisecond), 16 KiB/s. */
const MIN_BORROWER_PACE = 16.384;

/** A borrower is taken to come at least at the pace of the lender divided by this. */
const MAX_LENDER_LEAD = 4;

/**
 * Limits the bytes that running downloads, puts and conversions take on disk together.
 *
 * - A body of known length reserves all its bytes before the first, so that two
 *   downloads never find out half-way that only one of them fits. A body of unknown
 *   length reserves each chunk as it comes.
 * - A download lends bytes that it has reserved and not received to a body that finds
 *   no room otherwise. It lends no byte that it would need before the borrower is
 *   complete: both are taken to go on at the lender's pace, the borrower a few times
 *   slower, but never slower than 16 KiB/s. So a download that trickles lends nearly
 *   all, a download at a usual pace lends to much smaller bodies alone, and of two equal
 *   downloads neither lends to the other. The download that needs its bytes last lends
 *   first.
 * - A download that other processes follow lends after those that nobody follows, and
 *   borrows all that these have not received: their readers go on uncached, but
 *   followers would lose the rest of the body.
 * - Puts and conversions lend nothing: their bytes are at hand.
 * - Bytes that become free go back to the lenders, the oldest first.
 * - A body goes uncached from its start if nobody lends what it lacks then, and later if
 *   it needs bytes that it has lent, or could not know of, and nobody lends them.
 */
export class StagingBudget {
  readonly #maxBytes: number;
  readonly #now: () => number;
  /** The reservations in use, the oldest first. */
  readonly #shares = new Set<Share>();
  #reserved = 0;
  #written = 0;
  #occupied = 0;
  /** Time that counts for paces, in milliseconds. */
  #paceMs = 0;
  #lookedAt: number;

  /**
   * @param maxBytes The limit for all reservations together: `maxEntryMb`, in bytes.
   * @param now A clock in milliseconds.
   */
  constructor(maxBytes: number, now: () => number = () => performance.now()) {
    this.#maxBytes = maxBytes;
    this.#now = now;
    this.#lookedAt = now();
  }

  /** Bytes of the staged bodies. */
  get bytes(): number {
    return this.#written;
  }

  /** Bytes that the staged bodies take on disk, in whole blocks. */
  get occupiedBytes(): number {
    return this.#occupied;
  }

  /** Bytes that no body has reserved. */
  get free(): number {
    return this.#maxBytes - this.#reserved;
  }

  /**
   * Reserves bytes, borrowed if need be; undefined when they don't fit.
   *
   * @param lender The download that the bytes are for, which lends them while it does
   * not need them.
   */
  reserve(bytes: number, lender?: Lender): Reservation | undefined {
    const share = new Share(bytes, lender, lender ? this.#time() : 0);
    const fits = bytes <= this.#maxBytes - this.#reserved;
    if (!fits && !this.#makeRoom(bytes, bytes, share)) return undefined;
    share.reserved = bytes;
    this.#reserved += bytes;
    this.#shares.add(share);
    return {
      write: (bytes) => this.#write(share, bytes),
      settle: () => this.#settle(share),
      release: () => {
        this.#written -= share.written;
        this.#occupied -= share.occupied;
        share.written = share.occupied = 0;
        this.#shares.delete(share);
        this.#settle(share);
      },
    };
  }

  /** Reserves at most `bytes`, and as many as fit; undefined when there is no room. */
  reserveUpTo(
    bytes: number,
  ): { bytes: number; reservation: Reservation } | undefined {
    for (let wanted = bytes; wanted >= 1; wanted = Math.floor(wanted / 2)) {
      const fitting = Math.max(wanted, Math.min(bytes, this.free));
      const reservation = this.reserve(fitting);
      if (reservation !== undefined) return { bytes: fitting, reservation };
    }
    return undefined;
  }

  #write(share: Share, bytes: number): boolean {
    const written = share.written + bytes;
    const lacking = written - share.reserved;
    // A body of unknown length is taken to be half complete.
    const missing = share.promised === 0
      ? written
      : Math.max(share.promised - share.written, bytes);
    if (lacking > 0 && !this.#makeRoom(lacking, missing, share)) return false;
    if (lacking > 0) {
      share.reserved += lacking;
      this.#reserved += lacking;
    }
    if (share.lender !== undefined) share.received(bytes, this.#time());
    share.written = written;
    this.#written += bytes;
    this.#occupied -= share.occupied;
    share.occupied = inBlocks(written);
    this.#occupied += share.occupied;
    return true;
  }

  /** Gives back what a share has not written, to the lenders first. */
  #settle(share: Share): void {
    share.promised = share.written;
    this.#reserved -= share.unwritten;
    share.reserved = share.written;
    for (const lender of this.#shares) {
      const back = Math.min(lender.lent, this.free);
      lender.reserved += back;
      this.#reserved += back;
    }
  }

  /**
   * Makes room for `bytes` of a share that is complete after `missing` bytes; false, and
   * nothing has changed, if there is no room.
   */
  #makeRoom(bytes: number, missing: number, share: Share): boolean {
    let lacking = bytes - this.free;
    if (lacking <= 0) return true;
    const now = this.#time();
    const loans: { lender: Share; bytes: number }[] = [];
    const isAhead = share.isFollowed;
    const lenders = [...this.#shares]
      .filter((each) => each !== share && each.lender && each.unwritten > 0)
      .map((each) => ({
        each,
        pace: each.pace(now),
        isFollowed: each.isFollowed,
      }))
      .sort((a, b) =>
        Number(a.isFollowed) - Number(b.isFollowed) ||
        b.each.unwritten / b.pace - a.each.unwritten / a.pace
      );
    for (const { each, pace, isFollowed } of lenders) {
      const lead = Math.min(MAX_LENDER_LEAD, pace / MIN_BORROWER_PACE);
      const kept = isAhead && !isFollowed ? 0 : Math.ceil(missing * lead);
      const loan = Math.min(each.unwritten - kept, lacking);
      if (loan <= 0) continue;
      loans.push({ lender: each, bytes: loan });
      lacking -= loan;
    }
    if (lacking > 0) return false;
    for (const { lender, bytes } of loans) {
      lender.reserved -= bytes;
      this.#reserved -= bytes;
    }
    return true;
  }

  /** The time for paces now. */
  #time(): number {
    const now = this.#now();
    this.#paceMs += Math.min(now - this.#lookedAt, PACE_MS);
    this.#lookedAt = now;
    return this.#paceMs;
  }
}

/** A download that lends reserved bytes while it does not need them. */
export interface Lender {
  /** Whether other processes follow the download. Asked only when room is needed. */
  readonly isFollowed: boolean;
}

/** A share of the staging budget. */
export interface Reservation {
  /** Counts bytes before they are written; false when they don't fit. */
  write(bytes: number): boolean;
  /** Gives back the unwritten rest: the body is complete, or goes on uncached. */
  settle(): void;
  /** Gives back the whole share. Idempotent. */
  release(): void;
}

/** The bytes of a reservation. */
class Share {
  /** The bytes of the body, as far as they were known at the start. */
  promised: number;
  /** The bytes reserved now: those promised, less those lent; or those written. */
  reserved = 0;
  /** The bytes written. */
  written = 0;
  /** The bytes that those written take on disk. */
  occupied = 0;
  /** The download that may lend bytes. */
  readonly lender: Lender | undefined;
  readonly #startMs: number;
  /** The bytes received of late: older ones count less and less. */
  #recent = HEAD_START_BYTES;
  #recentAt: number;

  constructor(promised: number, lender: Lender | undefined, startMs: number) {
    this.promised = promised;
    this.lender = lender;
    this.#startMs = this.#recentAt = startMs;
  }

  /** The bytes reserved and not written. */
  get unwritten(): number {
    return this.reserved - this.written;
  }

  /** The bytes lent and not given back. */
  get lent(): number {
    return Math.max(0, this.promised - this.reserved);
  }

  /** Whether other processes follow the download. */
  get isFollowed(): boolean {
    return this.lender?.isFollowed ?? false;
  }

  /** Notes that bytes have come. */
  received(bytes: number, nowMs: number): void {
    this.#recent = this.#recentBytes(nowMs) + bytes;
    this.#recentAt = nowMs;
  }

  /** Bytes received a millisecond, of late. */
  pace(nowMs: number): number {
    const passed = 1 - Math.exp((this.#startMs - nowMs) / PACE_MS);
    return this.#recentBytes(nowMs) / (PACE_MS * passed);
  }

  #recentBytes(nowMs: number): number {
    return this.#recent * Math.exp((this.#recentAt - nowMs) / PACE_MS);
  }
}
