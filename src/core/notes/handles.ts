import type { Media } from "../api/media.ts";
import type { SendSteps } from "../api/send.ts";
import { wrongType } from "../api/wrong_type.ts";
import { keyOf } from "../text/key.ts";
import { isShort, MAX_HANDLE_BYTES, withHandle } from "./note.ts";
import type { NoteStore } from "./note_store.ts";
import { type SendParts, Sends } from "./sends.ts";

/** Answers `handle()`, `setHandle()`, `placesByKey()` and `sendOnce()`. */
export class Handles {
  readonly #notes: NoteStore;
  /** The calls of `sendOnce()` that run. */
  readonly sends: Sends;

  constructor(parts: SendParts) {
    this.#notes = parts.notes;
    this.sends = new Sends(parts);
  }

  /** The handle of a place; undefined where none is known. */
  async get(url: string, place: string): Promise<string | undefined> {
    assertShort("place", place);
    const note = await this.#notes.read(keyOf(url));
    return note?.handles.get(place);
  }

  /** Sets the handle of a place; undefined forgets it. */
  async set(
    url: string,
    place: string,
    handle: string | undefined,
  ): Promise<void> {
    assertShort("place", place);
    if (handle !== undefined) assertShort("handle", handle);
    await this.#notes.change(
      keyOf(url),
      (note) => withHandle(note, place, handle),
    );
  }

  /** The places with handles, the one set last first. */
  async places(key: string): Promise<string[]> {
    const note = await this.#notes.read(key);
    return [...note?.handles.keys() ?? []].reverse();
  }

  /**
   * Sends a media by its handle, or uploads it.
   *
   * @param getMedia Gets the media, from the cache or by a download.
   * @param options The signal that ends the waits of the call.
   */
  async send<T>(
    url: string,
    place: string,
    steps: SendSteps<T>,
    getMedia: () => Promise<Media>,
    { signal }: { readonly signal?: AbortSignal | undefined },
  ): Promise<T> {
    assertShort("place", place);
    for (const name of ["again", "first"] as const) {
      const step = steps?.[name];
      if (typeof step === "function") continue;
      throw wrongType("send", name, "a function", step);
    }
    const { again, first } = steps;
    const upload = async (media: Media) => {
      const uploaded = await first(media);
      if (uploaded.handle !== undefined) assertShort("handle", uploaded.handle);
      return uploaded;
    };
    const key = keyOf(url);
    const request = { key, place, again, first: upload, getMedia, signal };
    return await this.sends.send(request);
  }
}

/**
 * Throws unless a value may be a place or a handle. The message does not hold the value:
 * with the token of its bot a handle gives access to the media.
 *
 * @throws {TypeError} If it is not a string.
 * @throws {RangeError} If it is empty, or above 1 KiB of UTF-8.
 */
function assertShort(
  name: "place" | "handle",
  value: unknown,
): asserts value is string {
  if (isShort(value)) return;
  const wanted = `a string of 1 to ${MAX_HANDLE_BYTES} bytes`;
  if (typeof value !== "string") {
    throw wrongType("use handle", name, wanted, value);
  }
  const { length } = new TextEncoder().encode(value);
  throw new RangeError(
    `Cannot use handle: ${name} must be ${wanted}: received ${length} bytes`,
  );
}
