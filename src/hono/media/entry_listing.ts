import type { EntryInfo } from "../../core/api/entry_info.ts";
import type { MediaCache } from "../../core/media_cache.ts";
import { Pacer } from "../../core/async/pacer.ts";
import { FirstFew } from "./first_few.ts";

/** The name of an order. */
export type EntryOrder = "access" | "size" | "stored" | "name";

/**
 * The values by which a listing is sorted: latest, largest, or alphabetically
 * first.
 */
const ORDERS: Record<EntryOrder, (entry: EntryInfo) => number | string> = {
  access: (entry) => -entry.lastAccess,
  size: (entry) => -entry.size,
  stored: (entry) => -entry.storedAt,
  name: (entry) => entry.filename,
};

/** A place in a listing: behind the entry with this value and key. */
export type Cursor = readonly [value: number | string, key: string];

/** A query of the listing. */
export interface EntryQuery {
  /** Order of the entries. */
  readonly sort: EntryOrder;
  /** The most entries of a page. */
  readonly limit: number;
  /** The place behind which the page begins; undefined for the first page. */
  readonly cursor: Cursor | undefined;
  /** Text that the URL, name or type contains, in any case. */
  readonly text: string;
}

/** A page of a listing. */
export interface EntryPage {
  /** The entries of the page. */
  readonly entries: EntryInfo[];
  /**
   * The place behind which the next page begins; undefined for the last page.
   */
  readonly next: Cursor | undefined;
}

interface Ranked {
  readonly place: Cursor;
  readonly entry: EntryInfo;
}

/** The names of all orders. */
export const ENTRY_ORDERS: readonly string[] = Object.keys(ORDERS);

/** Tells whether an order has this name. */
export function isEntryOrder(name: string): name is EntryOrder {
  return Object.hasOwn(ORDERS, name);
}

/**
 * Returns a page of the listing. A page begins behind a value and a key instead
 * of at a number, so entries that come and go shift no others.
 */
export async function listEntries(
  cache: MediaCache,
  { sort, limit, cursor, text }: EntryQuery,
): Promise<EntryPage> {
  const valueOf = ORDERS[sort];
  const wanted = text.toLowerCase();
  const best = new FirstFew<Ranked>(
    limit + 1,
    (a, b) => compare(a.place, b.place),
  );
  const pacer = new Pacer();
  for await (const entry of cache.entries()) {
    if (pacer.due) await pacer.yield();
    if (wanted !== "" && !matches(entry, wanted)) continue;
    const place: Cursor = [valueOf(entry), entry.key];
    if (cursor !== undefined && compare(place, cursor) <= 0) continue;
    best.add({ place, entry });
  }
  const page = best.items.slice(0, limit);
  return {
    entries: page.map(({ entry }) => entry),
    next: best.items.length > limit ? page.at(-1)?.place : undefined,
  };
}

function matches(
  { url, filename, mimetype }: EntryInfo,
  text: string,
): boolean {
  return [url, filename, mimetype].some((each) =>
    each.toLowerCase().includes(text)
  );
}

function compare(a: Cursor, b: Cursor): number {
  // A cursor of another order gives some place; comparing never throws.
  if (a[0] < b[0]) return -1;
  if (a[0] > b[0]) return 1;
  return a[1] < b[1] ? -1 : a[1] > b[1] ? 1 : 0;
}
