import type { Context } from "hono";
import type { MediaCache } from "../../core/media_cache.ts";
import {
  type Cursor,
  ENTRY_ORDERS,
  type EntryQuery,
  isEntryOrder,
  listEntries,
} from "./entry_listing.ts";

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 1000;

/** `GET /entries`: a page of the listing. */
export async function getEntries(
  cache: MediaCache,
  c: Context,
): Promise<Response> {
  c.header("Cache-Control", "no-store");
  const query = readQuery(c);
  if (typeof query === "string") return c.json({ error: query }, 400);
  const { entries, next } = await listEntries(cache, query);
  return c.json({
    entries,
    next: next === undefined ? null : formatCursor(next),
  });
}

/** Reads the query; a string says what is wrong with it. */
function readQuery(c: Context): EntryQuery | string {
  const { sort = "access", limit, cursor, q: text = "" } = c.req.query();
  if (!isEntryOrder(sort)) {
    return `sort must be one of ${ENTRY_ORDERS.join(", ")}`;
  }
  const count = limit === undefined ? DEFAULT_LIMIT : Number(limit);
  if (!Number.isInteger(count) || count < 1 || count > MAX_LIMIT) {
    return `limit must be an integer from 1 to ${MAX_LIMIT}`;
  }
  if (cursor === undefined) {
    return { sort, limit: count, cursor: undefined, text };
  }
  const place = parseCursor(cursor, sort);
  if (place === undefined) {
    return "cursor must be the next of a page with the same sort";
  }
  return { sort, limit: count, cursor: place, text };
}

function formatCursor(cursor: Cursor): string {
  return new TextEncoder().encode(JSON.stringify(cursor))
    .toBase64({ alphabet: "base64url", omitPadding: true });
}

function parseCursor(text: string, sort: string): Cursor | undefined {
  const type = sort === "name" ? "string" : "number";
  try {
    const bytes = Uint8Array.fromBase64(text, { alphabet: "base64url" });
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (!Array.isArray(value) || value.length !== 2) return undefined;
    const [place, key]: unknown[] = value;
    if (typeof place !== type || typeof key !== "string") return undefined;
    return [place as number | string, key];
  } catch {
    return undefined;
  }
}
