import { KEY_REGEXP } from "../core/text/key.ts";

/** A change as the name of its marker tells it. */
export interface NamedChange {
  /** When the change was made by the clock of the store, in milliseconds since the epoch. */
  readonly timeMs: number;
  /** The host that has made it. */
  readonly host: string;
  /** SHA-256 of the URL, as 64 hexadecimal digits. */
  readonly key: string;
}

/** `20261130T101500Z-1a2b3c4d-KEY`: sorts by time, as listings do. */
const CHANGE_REGEXP =
  /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-([0-9a-f]{8})-([0-9a-f]{64})$/;

/**
 * The names of objects in the bucket. Each kind has a folder of its own, so that rules of
 * the bucket can remove them at different ages. `v1` is the version of the layout and of
 * the metadata: another layout lies beside it.
 */
export class ObjectKeys {
  /** The start of the names of all change markers. */
  readonly changes: string;

  readonly #prefix: string;

  /**
   * Keeps the prefix of all names.
   *
   * @param prefix Empty, or ending with a slash.
   */
  constructor(prefix: string) {
    this.#prefix = prefix;
    this.changes = `${prefix}changes/v1/`;
  }

  /** The object of an entry. */
  entry(key: string): string {
    const checked = checkedKey(key);
    return `${this.#prefix}v1/${checked.slice(0, 2)}/${checked}`;
  }

  /** The lease of an entry; each takeover has the next generation. */
  lease(key: string, generation: number): string {
    return `${this.#prefix}lease/v1/${checkedKey(key)}.${generation}`;
  }

  /** An object that a probe writes and deletes. */
  probe(random: string): string {
    return `${this.#prefix}probe/v1/${random}`;
  }

  /** The marker of a change. */
  change({ timeMs, host, key }: NamedChange): string {
    return `${this.changes}${timeOf(timeMs)}-${host}-${checkedKey(key)}`;
  }

  /** The name before all markers of this time and later, for a listing that starts there. */
  changesFrom(timeMs: number): string {
    return `${this.changes}${timeOf(timeMs)}`;
  }

  /** Reads the name of a marker; undefined for any other object. */
  namedChange(name: string): NamedChange | undefined {
    if (!name.startsWith(this.changes)) return undefined;
    const fields = CHANGE_REGEXP.exec(name.slice(this.changes.length));
    if (fields === null) return undefined;
    const [, year, month, day, hour, minute, second, host = "", key = ""] =
      fields;
    const timeMs = Date.parse(
      `${year}-${month}-${day}T${hour}:${minute}:${second}Z`,
    );
    return Number.isNaN(timeMs) ? undefined : { timeMs, host, key };
  }
}

/** `20261130T101500Z`, to the second, as the store tells time. */
function timeOf(timeMs: number): string {
  return new Date(timeMs).toISOString().replace(/[-:]|\.\d{3}/g, "");
}

/** Throws for what is no key: the text could name another object. */
function checkedKey(key: string): string {
  if (KEY_REGEXP.test(key)) return key;
  throw new RangeError(
    "Cannot use object store: key must be 64 hexadecimal digits: received another string",
  );
}
