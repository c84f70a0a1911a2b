/** The most keys that are remembered; the newest are kept. */
const MAX_RECORDS = 10_000;

/** The last checks of an entry, in milliseconds since the epoch. */
export interface CheckRecord {
  /** When the origin has confirmed its bytes. */
  readonly validatedAt: number | undefined;
  /** When a check has failed, if none has succeeded since. */
  readonly failedAt: number | undefined;
}

/** The record of an entry that was never checked. */
const NONE: CheckRecord = { validatedAt: undefined, failedAt: undefined };

/**
 * Remembers the last checks by key, in RAM: most hits need no look at a note, and an origin
 * that fails is not asked at each call.
 */
export class CheckRecords {
  readonly #records = new Map<string, CheckRecord>();

  /** The last checks of a key. */
  get(key: string): CheckRecord {
    return this.#records.get(key) ?? NONE;
  }

  /** Notes that the bytes of a key were confirmed. */
  validated(key: string, validatedAt: number | undefined): void {
    this.#set(key, { validatedAt, failedAt: undefined });
  }

  /** Notes that a check of a key has failed. */
  failed(key: string, failedAt: number): void {
    this.#set(key, { ...this.get(key), failedAt });
  }

  /** Forgets a key: it has other bytes now. */
  forget(key: string): void {
    this.#records.delete(key);
  }

  #set(key: string, record: CheckRecord): void {
    this.#records.delete(key);
    this.#records.set(key, record);
    if (this.#records.size <= MAX_RECORDS) return;
    for (const oldest of this.#records.keys()) {
      this.#records.delete(oldest);
      break;
    }
  }
}
