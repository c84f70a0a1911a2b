import { assert, assertEquals } from "@std/assert";
import {
  formatNote,
  isBlank,
  isShort,
  lastValidators,
  MAX_NOTE_BYTES,
  MAX_PLACES,
  NO_NOTE,
  type Note,
  OTHER_VERSION,
  parseNote,
  withHandle,
} from "../../../src/core/notes/note.ts";
import { Random } from "../../fixtures/inputs/random.ts";

/** Sets a handle for each of these places, in order. */
function noteOf(...places: string[]): Note {
  return places.reduce(
    (note, place) => withHandle(note, place, `handle of ${place}`),
    NO_NOTE,
  );
}

/** The note after a way through its text. */
function copyOf(note: Note): Note {
  const copy = parseNote(formatNote(note));
  if (typeof copy === "string") throw new Error(copy);
  return copy;
}

Deno.test("a note is a JSON object of handles by place, and when the bytes were validated", () => {
  const note = { ...noteOf("matrix:@bot:a", "x"), validatedAt: 5.5 };

  assertEquals(JSON.parse(formatNote(note)), {
    version: 1,
    handles: { "matrix:@bot:a": "handle of matrix:@bot:a", x: "handle of x" },
    validatedAt: 5.5,
  });
  assertEquals(copyOf(note), note);
  assertEquals(parseNote(`{"handles":{"x":"y"},"later":[]}`), {
    handles: new Map([["x", "y"]]),
  });
  assertEquals(parseNote("{}"), NO_NOTE);
});

Deno.test("validators are about one entry, and hostile ones are ignored", () => {
  const sidecar = { ts: 5.25, etag: '"1"', lastModified: "x" };
  const note: Note = { ...noteOf("x"), validators: { ts: 5.25, etag: '"2"' } };

  assertEquals(copyOf(note), note);
  assertEquals(lastValidators(copyOf(note), sidecar), note.validators);
  assertEquals(lastValidators(note, { ...sidecar, ts: 5 }).etag, '"1"');
  assertEquals(lastValidators(undefined, sidecar), sidecar);
  assertEquals(isBlank({ ...NO_NOTE, validators: { ts: 1 } }), false);
  const read = (validators: unknown) =>
    parseNote(JSON.stringify({ validators, validatedAt: 1 }));
  const bare = { ...NO_NOTE, validatedAt: 1 };
  for (const wrong of [null, 7, "x", [], {}, { ts: "1" }, { etag: '"1"' }]) {
    assertEquals(read(wrong), bare);
  }
  const long = "x".repeat(257);
  for (const wrong of [7, null, ["a"], {}, long]) {
    const validators = { ts: 1, etag: wrong, lastModified: wrong };
    assertEquals(read(validators), { ...bare, validators: { ts: 1 } });
  }
});

Deno.test("the order of places survives, whatever their names", () => {
  const places = [
    "b",
    "123",
    "a",
    "7",
    "__proto__",
    "constructor",
    "-1",
    "\ud800",
  ];
  const note = noteOf(...places);

  assertEquals([...copyOf(note).handles.keys()], places);
  assertEquals(copyOf(note).handles.get("__proto__"), "handle of __proto__");
  const again = withHandle(copyOf(note), "123", "new");
  assertEquals([...copyOf(again).handles.keys()].at(-1), "123");
});

Deno.test("of more than 32 places the one set longest ago goes", () => {
  const places = Array.from({ length: MAX_PLACES }, (_, i) => `${i}`);
  const full = withHandle(noteOf(...places), "0", "set anew");

  const note = copyOf(withHandle(copyOf(full), "33rd", "h"));

  assertEquals(note.handles.size, MAX_PLACES);
  assertEquals(note.handles.has("1"), false);
  assertEquals(note.handles.get("0"), "set anew");
});

Deno.test("a forgotten handle leaves the others, and an empty note is blank", () => {
  const note = noteOf("a", "b");

  const rest = withHandle(note, "a", undefined);

  assertEquals([...rest.handles.keys()], ["b"]);
  assertEquals(withHandle(rest, "a", undefined), rest);
  assert(isBlank(withHandle(rest, "b", undefined)));
  assert(!isBlank({ ...NO_NOTE, validatedAt: 0 }));
});

Deno.test("the longest note is short enough to be read", () => {
  let note = NO_NOTE;
  // Integer-like, so that all places are listed twice, and controls, of 6 bytes each.
  note = withHandle(note, "z", "z");
  for (let i = 0; i < MAX_PLACES - 1; i++) {
    const place = i === 0 ? "1" : `${"\u0001".repeat(1022)}${10 + i}`;
    note = withHandle(note, place, "\u0001".repeat(1024));
  }

  const text = formatNote(note);

  assert(new TextEncoder().encode(text).length <= MAX_NOTE_BYTES);
  assertEquals(parseNote(text), note);
});

Deno.test("texts that are no notes are refused with a reason", () => {
  const long = "x".repeat(1025);
  for (
    const [text, reason] of [
      ["", "note is not JSON"],
      [`{"handles":`, "note is not JSON"],
      ["[".repeat(100_000), "note is not JSON"],
      ["null", "note is not an object"],
      ["[]", "note is not an object"],
      [`{"version":2}`, OTHER_VERSION],
      [`{"version":null}`, OTHER_VERSION],
      [`{"handles":[]}`, "handles is not an object"],
      [`{"handles":null}`, "handles is not an object"],
      [`{"places":{}}`, "places is not an array"],
      [`{"handles":{"a":1}}`, "a handle is not a string of 1 to 1024 bytes"],
      [`{"handles":{"a":""}}`, "a handle is not a string of 1 to 1024 bytes"],
      [`{"handles":{"":"a"}}`, "a handle is not a string of 1 to 1024 bytes"],
      [
        `{"handles":{"${long}":"a"}}`,
        "a handle is not a string of 1 to 1024 bytes",
      ],
      [
        `{"handles":{"__proto__":{}}}`,
        "a handle is not a string of 1 to 1024 bytes",
      ],
      [`{"validatedAt":"5"}`, "validatedAt is not a number"],
      [`{"validatedAt":1e999}`, "validatedAt is not a number"],
      [
        JSON.stringify({
          handles: Object.fromEntries(
            Array.from({ length: 33 }, (_, i) => [`p${i}`, "h"]),
          ),
        }),
        "more than 32 places",
      ],
    ] as const
  ) assertEquals(parseNote(text), reason, text.slice(0, 80));
});

Deno.test("a note that is cut or changed anywhere never throws, and gives strings only", () => {
  const random = new Random();
  const text = formatNote({ ...noteOf("a", "12", "b"), validatedAt: 3 });
  for (let end = 0; end < text.length; end++) {
    assertEquals(typeof parseNote(text.slice(0, end)), "string");
  }
  for (let i = 0; i < 2000; i++) {
    const at = random.integer(0, text.length - 1);
    const unit = String.fromCharCode(random.integer(32, 126));
    const note = parseNote(text.slice(0, at) + unit + text.slice(at + 1));
    if (typeof note === "string") continue;
    for (const [place, handle] of note.handles) {
      assert(isShort(place) && isShort(handle), random.hint);
    }
  }
});

Deno.test("places and handles have 1 to 1024 bytes of UTF-8", () => {
  for (
    const [value, isRight] of [
      ["", false],
      ["a", true],
      ["a".repeat(1024), true],
      ["a".repeat(1025), false],
      ["é".repeat(512), true],
      ["é".repeat(513), false],
      ["𝕏".repeat(256), true],
      ["𝕏".repeat(257), false],
      [undefined, false],
      [5, false],
    ] as const
  ) assertEquals(isShort(value), isRight);
});
