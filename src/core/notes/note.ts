/*
 * A note is a JSON object of what the cache knows of a URL beside its entry:
 *
 *     {
 *       "version": 1,
 *       "handles": { "telegram:123:photo": "AgACAgIAAxkBAAIB" },
 *       "validatedAt": 1763762612123,
 *       "validators": { "ts": 1763758611.123456, "etag": "\"v2\"" }
 *     }
 *
 * `handles` has the handle of each place that the media was uploaded to, the place set
 * longest ago first. JavaScript lists members such as "123" before all others, whatever
 * their order in the text; where a place has such a name, `places` lists all of them in
 * order. `validatedAt` is when the origin last confirmed the bytes of the entry, in
 * milliseconds since the epoch. `validators` has the validators with which the origin
 * sent the bytes again, which its sidecar with that `ts` can't have; several tags, separated
 * by a comma and a space, if the servers of the origin tag them differently. Unknown members
 * are ignored, and `version` may be missing. A note holds no URL.
 */
import {
  isKeptValidator,
  type OriginValidators,
} from "../text/origin_conditions.ts";

/** The most places of a note; then the place that was set longest ago goes. */
export const MAX_PLACES = 32;

/** The longest place, and the longest handle, in bytes of UTF-8. */
export const MAX_HANDLE_BYTES = 1024;

/**
 * The longest note in bytes: the cache writes no longer note, and reads none. JSON writes a
 * byte of UTF-8 in at most 6, and each place may stand in the text twice.
 */
export const MAX_NOTE_BYTES = 655_360;

/** The version of the format. */
const VERSION = 1;

/** Why a note is not read that a later version of this package has written. */
export const OTHER_VERSION = "note is of another version";

/** The facts of a URL that outlive its entry. */
export interface Note {
  /** The handle of each place, the place that was set longest ago first. */
  readonly handles: ReadonlyMap<string, string>;
  /** When the origin last confirmed the bytes, in milliseconds since the epoch. */
  readonly validatedAt?: number;
  /** The validators by which to ask after an answer 200 that brought the bytes again. */
  readonly validators?: NotedValidators;
}

/** Validators, and the entry that they are about: a note may outlive it. */
export interface NotedValidators extends OriginValidators {
  /** The `ts` of the sidecar of the entry. */
  readonly ts: number;
}

/** The note of a URL that has none. */
export const NO_NOTE: Note = { handles: new Map() };

/** Whether a note says nothing, and need not be kept. */
export function isBlank({ handles, validatedAt, validators }: Note): boolean {
  return handles.size === 0 && validatedAt === undefined &&
    validators === undefined;
}

/**
 * Sets the handle of a place, which then counts as set last; undefined forgets the
 * handle. Of more than 32 places the one set longest ago goes.
 */
export function withHandle(
  note: Note,
  place: string,
  handle: string | undefined,
): Note {
  if (handle === undefined && !note.handles.has(place)) return note;
  const handles = new Map(note.handles);
  handles.delete(place);
  if (handle !== undefined) handles.set(place, handle);
  for (const oldest of handles.keys()) {
    if (handles.size <= MAX_PLACES) break;
    handles.delete(oldest);
  }
  return { ...note, handles };
}

/**
 * Picks the validators by which the origin is asked about an entry: those of the note if they
 * are about this entry, else those of its sidecar.
 */
export function lastValidators(
  note: Note | undefined,
  sidecar: NotedValidators,
): OriginValidators {
  const noted = note?.validators;
  return noted?.ts === sidecar.ts ? noted : sidecar;
}

/** Writes the text of a note. */
export function formatNote(
  { handles, validatedAt, validators }: Note,
): string {
  const places = [...handles.keys()];
  const members = Object.fromEntries(handles);
  const isInOrder = Object.keys(members).every((it, i) => it === places[i]);
  return JSON.stringify({
    version: VERSION,
    handles: members,
    ...(!isInOrder && { places }),
    ...(validatedAt !== undefined && { validatedAt }),
    ...(validators !== undefined && { validators }),
  });
}

/**
 * Reads the text of a note.
 *
 * @returns The note, or the reason, a string, why the text is not a note.
 */
export function parseNote(text: string): Note | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return "note is not JSON";
  }
  if (!isObject(value)) return "note is not an object";
  const { version = VERSION, handles = {}, places = [], validatedAt } = value;
  if (version !== VERSION) return OTHER_VERSION;
  if (!isObject(handles)) return "handles is not an object";
  if (!Array.isArray(places)) return "places is not an array";
  const note = new Map<string, string>();
  for (const [place, handle] of inOrder(Object.entries(handles), places)) {
    if (!isShort(place) || !isShort(handle)) {
      return "a handle is not a string of 1 to 1024 bytes";
    }
    note.set(place, handle);
  }
  if (note.size > MAX_PLACES) return `more than ${MAX_PLACES} places`;
  const isTime = validatedAt === undefined ||
    typeof validatedAt === "number" && Number.isFinite(validatedAt);
  if (!isTime) return "validatedAt is not a number";
  const validators = readValidators(value["validators"]);
  return {
    handles: note,
    ...(validatedAt !== undefined && { validatedAt }),
    ...(validators !== undefined && { validators }),
  };
}

/** Reads validators; undefined if they are about no entry. What is none is left out. */
function readValidators(value: unknown): NotedValidators | undefined {
  if (!isObject(value)) return undefined;
  const { ts, etag, lastModified } = value;
  if (typeof ts !== "number") return undefined;
  return {
    ts,
    ...(isKeptValidator(etag) && { etag }),
    ...(isKeptValidator(lastModified) && { lastModified }),
  };
}

/** Whether a value is a string that may be a place or a handle. */
export function isShort(value: unknown): value is string {
  if (typeof value !== "string" || value === "") return false;
  // A UTF-16 code unit has 1 to 3 bytes of UTF-8.
  if (value.length * 3 <= MAX_HANDLE_BYTES) return true;
  return value.length <= MAX_HANDLE_BYTES &&
    new TextEncoder().encode(value).length <= MAX_HANDLE_BYTES;
}

/** Sorts members as `places` lists them; members that it lacks come first. */
function inOrder(
  members: [string, unknown][],
  places: readonly unknown[],
): [string, unknown][] {
  if (places.length === 0) return members;
  const ranks = new Map(places.map((place, i) => [place, i]));
  const rank = ([place]: [string, unknown]) => ranks.get(place) ?? -1;
  return members.sort((a, b) => rank(a) - rank(b));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
