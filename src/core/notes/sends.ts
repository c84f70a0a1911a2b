import type { Media } from "../api/media.ts";
import type { SendSteps } from "../api/send.ts";
import type { Counters } from "../api/stats.ts";
import { untilAborted } from "../async/until_aborted.ts";
import { withHandle } from "./note.ts";
import type { NoteStore, NoteWatch } from "./note_store.ts";
import { SendTurn } from "./send_turn.ts";

/** A call of `sendOnce()`. */
export interface SendRequest<T> extends SendSteps<T> {
  /** The key of the URL. */
  readonly key: string;
  /** The account and kind that the handle is for. */
  readonly place: string;
  /** Gets the media, from the cache or by a download. */
  readonly getMedia: () => Promise<Media>;
  /** Ends the waits of the call. */
  readonly signal: AbortSignal | undefined;
}

/** An entry that the cache knows. */
export interface KnownEntry {
  /** When the entry was stored, in milliseconds since the epoch. */
  readonly storedAt: number;
  /** The stamp of its sidecar, which tells it from any other entry of its URL. */
  readonly sidecarStamp: number;
}

/** The parts of the cache that {@linkcode Sends} works on. */
export interface SendParts {
  /** The notes of URLs. */
  readonly notes: NoteStore;
  /** The counters of the cache. */
  readonly counters: Counters;
  /** The stamp of the sidecar of a key, as it is on disk; undefined where there is none. */
  readonly stampOf: (key: string) => Promise<number | undefined>;
  /** The entry of a URL, as this cache knows it. */
  readonly known: (url: string) => KnownEntry | undefined;
  /** Runs a task while no process changes entries, or all the same if that takes too long. */
  readonly undisturbed: <T>(task: () => Promise<T>) => Promise<T>;
}

/** A media to be uploaded, and what tells whether its bytes are outdated meanwhile. */
interface HeldMedia {
  readonly media: Media;
  readonly watch: NoteWatch;
  /**
   * The stamp of the sidecar of the bytes; undefined if they were not stored, "other" if
   * the cache knows another entry by now, and "unknown" while they come.
   */
  stamp: number | undefined | "other" | "unknown";
  /** Settles when the stamp is not "unknown" any more. */
  settled?: Promise<void>;
}

/**
 * Sends media by their handles, and uploads media that have none. Of the calls for one key
 * and place one at a time has the turn to look for the handle and to upload; the others
 * wait for its end, and use its handle.
 */
export class Sends {
  readonly #parts: SendParts;
  /** The running turn of each key and place. */
  readonly #turns = new Map<string, SendTurn>();
  /** The running uploads. */
  readonly #uploads = new Set<Promise<unknown>>();
  readonly #controller = new AbortController();

  constructor(parts: SendParts) {
    this.#parts = parts;
  }

  /** Waits for the uploads that run now, or until `abort()`. */
  async settled(): Promise<void> {
    const uploads = Promise.allSettled(this.#uploads);
    await untilAborted(uploads, this.#controller.signal).catch(() => {});
  }

  /** Ends all waits: their calls reject with `reason`. Running uploads keep no handle. */
  abort(reason: unknown): void {
    this.#controller.abort(reason);
  }

  /** Sends a media by its handle, or uploads it. */
  async send<T>(request: SendRequest<T>): Promise<T> {
    const { key, place, again } = request;
    const id = `${key} ${place}`;
    let held: HeldMedia | undefined;
    // A call waits no more for others when that has brought it no valid handle.
    let waits = true;
    let refusals = 0;
    try {
      for (;;) {
        this.#throwIfAborted(request);
        let handle: string | undefined;
        const running = waits ? this.#turns.get(id) : undefined;
        if (running === undefined) {
          using turn = this.#begin(waits ? id : undefined);
          handle = (await this.#parts.notes.read(key))?.handles.get(place);
          if (handle === undefined) {
            return await turn.run(async () => {
              held ??= await this.#hold(request, turn);
              return await this.#upload(request, held, turn);
            });
          }
          turn.end({ handle });
        } else {
          using _call = running.enter();
          const end = await this.#unlessAborted(running.ended, request);
          if (end === "sent") waits = false;
          else if (end === "unavailable") held ??= await this.#hold(request);
          else if (end !== "over") handle = end.handle;
        }
        if (handle === undefined) continue;
        const result = await again(handle);
        if (result !== undefined) {
          this.#parts.counters.handleHits++;
          return result;
        }
        await this.#forget(key, place, handle);
        // A second handle that is unknown at once: the platform keeps none.
        if (++refusals > 1) waits = false;
      }
    } finally {
      held?.watch[Symbol.dispose]();
      await held?.media[Symbol.asyncDispose]();
    }
  }

  /** Begins a turn; without an id no other call waits for it. */
  #begin(id: string | undefined): SendTurn {
    const turn: SendTurn = new SendTurn(() => {
      if (id !== undefined && this.#turns.get(id) === turn) {
        this.#turns.delete(id);
      }
    });
    if (id !== undefined) this.#turns.set(id, turn);
    return turn;
  }

  /** Gets the media; if that fails, so does the turn. */
  async #hold<T>(request: SendRequest<T>, turn?: SendTurn): Promise<HeldMedia> {
    const { notes, stampOf, known } = this.#parts;
    const { key, getMedia } = request;
    let watch = notes.watch(key);
    try {
      const media = await getMedia();
      const { entry, source, url } = media;
      if (source === "download" && entry !== undefined) {
        // A check has brought these bytes, and removed the note of the old ones.
        watch[Symbol.dispose]();
        watch = notes.watch(key);
      }
      const held: HeldMedia = { media, watch, stamp: "unknown" };
      if (entry !== undefined) {
        const now = known(url);
        const isKnown = now?.storedAt === entry.storedAt;
        held.stamp = isKnown ? now?.sidecarStamp : "other";
      } else {
        held.settled = media.stored.then(async (isStored) => {
          // Known at once: the files may be those of another process in a moment.
          held.stamp = isStored
            ? known(url)?.sidecarStamp ?? await stampOf(key)
            : undefined;
        });
      }
      return held;
    } catch (error) {
      watch[Symbol.dispose]();
      turn?.end("unavailable");
      throw error;
    }
  }

  /** Uploads a media, and keeps its handle. */
  async #upload<T>(
    { key, place, first }: SendRequest<T>,
    held: HeldMedia,
    turn: SendTurn,
  ): Promise<T> {
    const { media } = held;
    const { counters } = this.#parts;
    const upload = Promise.try(async () => {
      try {
        return await first(media);
      } finally {
        await media[Symbol.asyncDispose]();
      }
    }).then(async ({ result, handle }) => {
      counters.uploads++;
      if (handle === undefined) turn.end("sent");
      else {
        const isKept = await this.#keep(key, place, handle, held);
        turn.end(isKept ? { handle } : "over");
      }
      return result;
    });
    this.#uploads.add(upload);
    try {
      return await upload;
    } finally {
      this.#uploads.delete(upload);
    }
  }

  /**
   * Keeps the handle of an upload, unless the URL has been deleted or replaced since its
   * bytes were read: the handle would stand for other bytes.
   *
   * @returns Whether the handle is that of the present bytes.
   */
  async #keep(
    key: string,
    place: string,
    handle: string,
    held: HeldMedia,
  ): Promise<boolean> {
    const { notes, undisturbed } = this.#parts;
    const isOutdated = () =>
      held.watch.isRemoved || this.#controller.signal.aborted;
    if (isOutdated()) return false;
    // Other processes change the entry and its note in one turn: between the look at the
    // entry and the change of the note there must be none.
    const isKept = await undisturbed(async () => {
      const isChanged = await this.#isChanged(key, held);
      if (isChanged === undefined) return undefined;
      if (isChanged || isOutdated()) return false;
      await notes.change(
        key,
        (note) => isOutdated() ? note : withHandle(note, place, handle),
      );
      return !isOutdated();
    });
    if (isKept !== undefined) return isKept;
    await held.settled;
    return await this.#keep(key, place, handle, held);
  }

  /**
   * Whether another process has replaced or removed the entry, which only its files tell.
   *
   * @returns Undefined while it is open whether the files are those of the download.
   */
  async #isChanged(key: string, held: HeldMedia): Promise<boolean | undefined> {
    const now = await this.#parts.stampOf(key);
    if (held.stamp === "unknown") return now === undefined ? false : undefined;
    const isEvicted = now === undefined && held.watch.isEvicted;
    return now !== held.stamp && !isEvicted;
  }

  /** Forgets a handle, unless another one has taken its place. */
  async #forget(key: string, place: string, handle: string): Promise<void> {
    if (this.#controller.signal.aborted) return;
    await this.#parts.notes.change(
      key,
      (note) =>
        note.handles.get(place) === handle
          ? withHandle(note, place, undefined)
          : note,
    );
  }

  #throwIfAborted<T>({ signal }: SendRequest<T>): void {
    this.#controller.signal.throwIfAborted();
    signal?.throwIfAborted();
  }

  #unlessAborted<T, U>(
    promise: Promise<U>,
    { signal }: SendRequest<T>,
  ): Promise<U> {
    const result = untilAborted(promise, this.#controller.signal);
    return signal === undefined ? result : untilAborted(result, signal);
  }
}
