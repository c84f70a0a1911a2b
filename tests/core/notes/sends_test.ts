/** `Sends` on a note store and an entry of its own: changes by other processes at a given moment. */
import { assertEquals } from "@std/assert";
import type { Media } from "../../../mod.ts";
import { Counters } from "../../../src/core/api/stats.ts";
import { NO_NOTE, type Note } from "../../../src/core/notes/note.ts";
import type { NoteStore } from "../../../src/core/notes/note_store.ts";
import { type SendRequest, Sends } from "../../../src/core/notes/sends.ts";

/** The parts of a cache with one entry, and what becomes of its note. */
class OneEntry {
  stamp: number | undefined = 1;
  note: Note = NO_NOTE;
  /** Called when the turn for the note has come. */
  onTurn = (): void => {};
  /** Called when the turn is over. */
  afterTurn = (): void => {};
  #inTurn = false;

  /** @param stored Of a media that is downloaded: whether it is stored in the end. */
  async send(stored?: Promise<boolean>): Promise<void> {
    const entry = stored === undefined ? { storedAt: 1 } : undefined;
    const media = { entry, stored, [Symbol.asyncDispose]: noOp };
    const request: SendRequest<void> = {
      key: "key",
      place: "place",
      getMedia: () => Promise.resolve(media as unknown as Media),
      again: () => Promise.resolve(),
      first: () => Promise.resolve({ result: undefined, handle: "handle" }),
      signal: undefined,
    };
    const sends = new Sends({
      notes: this.#notes() as NoteStore,
      counters: new Counters(),
      stampOf: () => Promise.resolve(this.stamp),
      known: () => ({ storedAt: 1, sidecarStamp: 1 }),
      undisturbed: async (task) => {
        this.onTurn();
        this.#inTurn = true;
        try {
          return await task();
        } finally {
          this.#inTurn = false;
          this.afterTurn();
        }
      },
    });
    await sends.send(request);
  }

  #notes(): unknown {
    const watch = { isRemoved: false, isEvicted: false };
    return {
      watch: () => ({ ...watch, [Symbol.dispose]() {} }),
      read: () => Promise.resolve(this.note),
      change: (_key: string, change: (note: Note) => Note) => {
        assertEquals(this.#inTurn, true);
        this.note = change(this.note);
        return Promise.resolve();
      },
    };
  }
}

Deno.test("a handle is written in the turn in which its entry is looked at", async () => {
  const cache = new OneEntry();

  await cache.send();

  assertEquals(cache.note.handles.get("place"), "handle");
});

Deno.test("a handle is dropped if another process has replaced the entry before the turn", async () => {
  for (const stamp of [2, undefined]) {
    const cache = new OneEntry();
    cache.onTurn = () => cache.stamp = stamp;

    await cache.send();

    assertEquals(cache.note.handles.size, 0);
  }
});

Deno.test("a handle of a download that ends after the upload waits to see whose the entry is", async () => {
  for (const isStored of [true, false]) {
    const cache = new OneEntry();
    const { promise, resolve } = Promise.withResolvers<boolean>();
    cache.afterTurn = () => resolve(isStored);

    await cache.send(promise);

    assertEquals(cache.note.handles.has("place"), isStored);
  }
});

Deno.test("a handle of a download waits for no entry where there is none", async () => {
  const cache = new OneEntry();
  cache.stamp = undefined;

  await cache.send(new Promise(() => {}));

  assertEquals(cache.note.handles.get("place"), "handle");
});

async function noOp(): Promise<void> {}
