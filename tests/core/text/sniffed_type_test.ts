/** Types told by the first bytes, as WHATWG MIME Sniffing §6 tells them. */
import { assert, assertEquals } from "@std/assert";
import { extensionsOf } from "../../../src/core/text/mimetype.ts";
import {
  MAX_SNIFFED_BYTES,
  sniffedType,
  TypeSniffer,
  UNNAMED_TYPE_REGEXP,
} from "../../../src/core/text/sniffed_type.ts";
import { Random } from "../../fixtures/inputs/random.ts";

/** A body of Latin-1 characters. */
function latin(...parts: string[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(parts.join(""), (each) => each.charCodeAt(0));
}

/** An `ftyp` box with these brands, the first of them the major one. */
function ftyp(...brands: string[]): Uint8Array<ArrayBuffer> {
  const [major = "", ...others] = brands;
  const size = String.fromCharCode(16 + 4 * others.length);
  return latin("\0\0\0", size, "ftyp", major, "\0\0\x02\0", ...others);
}

/** The head of an EBML file; `length` is the number that stands before its DocType. */
function ebml(docType: string, length = "\x84"): Uint8Array<ArrayBuffer> {
  const version = "\x42\x86\x81\x01\x42\xf7\x81\x01\x42\xf2\x81\x04";
  return latin("\x1a\x45\xdf\xa3\xa3", version, "\x42\x82", length, docType);
}

/** A frame of MP3, of 0 after its head, and the head of the next. */
function mp3(head: string, length: number): Uint8Array<ArrayBuffer> {
  return latin(head, "\0".repeat(length - head.length), head);
}

/** The number of bytes after which each type is certain, and the bytes. */
const SAMPLES: readonly [string, number, Uint8Array<ArrayBuffer>][] = [
  ["image/x-icon", 4, latin("\0\0\x01\0")],
  ["image/x-icon", 4, latin("\0\0\x02\0")],
  ["image/bmp", 2, latin("BM")],
  ["image/gif", 6, latin("GIF87a")],
  ["image/gif", 6, latin("GIF89a")],
  ["image/webp", 14, latin("RIFF\x24\0?\xffWEBPVP8 ")],
  ["image/png", 8, latin("\x89PNG\r\n\x1a\n")],
  ["image/jpeg", 3, latin("\xff\xd8\xff\xe0")],
  ["audio/aiff", 12, latin("FORM\0\0\0\0AIFF")],
  ["audio/mpeg", 3, latin("ID3\x04")],
  ["application/ogg", 5, latin("OggS\0\x02")],
  ["audio/midi", 8, latin("MThd\0\0\0\x06")],
  ["video/avi", 12, latin("RIFF\x01\x02\x03\x04AVI LIST")],
  ["audio/wave", 12, latin("RIFF\x01\x02\x03\x04WAVEfmt ")],
  ["application/vnd.ms-fontobject", 36, latin("e".repeat(34), "LP")],
  ["font/ttf", 4, latin("\0\x01\0\0")],
  ["font/otf", 4, latin("OTTO")],
  ["font/collection", 4, latin("ttcf")],
  ["font/woff", 4, latin("wOFF")],
  ["font/woff2", 4, latin("wOF2")],
  ["audio/flac", 4, latin("fLaC\0\0\0\x22")],
  ["audio/amr", 6, latin("#!AMR\n<")],
  ["audio/amr-wb", 9, latin("#!AMR-WB\n<")],
  ["image/jxl", 2, latin("\xff\x0a\xfa")],
  ["image/jxl", 12, latin("\0\0\0\x0cJXL \r\n\x87\n")],
  ["video/mp4", 16, ftyp("mp42")],
  ["video/mp4", 24, ftyp("isom", "avc1", "mp41")],
  ["audio/mp4", 28, ftyp("M4A ", "M4A ", "mp42", "isom")],
  ["audio/mp4", 16, ftyp("M4B ")],
  ["video/mp4", 32, ftyp("M4V ", "M4V ", "M4A ", "mp42", "isom")],
  ["image/avif", 24, ftyp("avif", "mif1", "miaf")],
  ["image/avif", 24, ftyp("mif1", "miaf", "avif")],
  ["image/heic", 24, ftyp("heic", "mif1", "heic")],
  ["image/heic-sequence", 20, ftyp("hevc", "msf1")],
  ["video/webm", 24, ebml("webm")],
  ["video/webm", 26, ebml("\0\0webm")],
  ["video/webm", 26, ebml("webm", "\x20\0\x04")],
  ["video/x-matroska", 28, ebml("matroska", "\x88")],
  // 128 kbit/s at 44,100 Hz, without and with a byte of padding.
  ["audio/mpeg", 421, mp3("\xff\xfb\x90\x00", 417)],
  ["audio/mpeg", 422, mp3("\xff\xfb\x92\x00", 418)],
  // The longest frame: 320 kbit/s at 32,000 Hz with padding.
  ["audio/mpeg", 1445, mp3("\xff\xfb\xea\x00", 1441)],
  // MPEG-2 and MPEG-2.5, 64 kbit/s at 22,050 and 11,025 Hz.
  ["audio/mpeg", 212, mp3("\xff\xf3\x80\x00", 208)],
  ["audio/mpeg", 421, mp3("\xff\xe3\x80\x00", 417)],
];

/** Bodies that no pattern may match. */
const UNKNOWN: Readonly<Record<string, Uint8Array<ArrayBuffer>>> = {
  "nothing": latin(),
  "HTML": latin("<!DOCTYPE html><script>alert(1)</script>"),
  "HTML behind a byte order mark": latin("\xef\xbb\xbf<html>"),
  "HTML in UTF-16": latin("\xff\xfe<\0h\0t\0m\0l\0>\0"),
  "HTML behind spaces": latin(" ".repeat(2000), "<script>alert(1)</script>"),
  "SVG": latin("<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"),
  "XML": latin("<?xml version='1.0'?><!-- GIF89a -->"),
  "PDF": latin("%PDF-1.7\n"),
  "PostScript": latin("%!PS-Adobe-3.0\n"),
  "JavaScript": latin("alert(1);//"),
  "a script of the shell": latin("#!/bin/sh\n"),
  "zip": latin("PK\x03\x04"),
  "gzip": latin("\x1f\x8b\x08\0\0\0\0\0"),
  "a GIF of an unknown version": latin("GIF88a"),
  "RIFF of an unknown form": latin("RIFF\0\0\0\0ACON"),
  "an ftyp of unknown brands": ftyp("jp2 ", "jp2 "),
  "an ftyp with a brand of MP4 in place of its version": latin(
    "\0\0\0\x14ftypjp2 mp42jp2 ",
  ),
  "an ftyp of an odd length": latin("\0\0\0\x15ftypmp42\0\0\0\0isomx"),
  "an ftyp that is longer than the body": latin(
    "\0\0\0\x20ftypmp42\0\0\0\0isom",
  ),
  "an ftyp that is longer than what is looked at": latin(
    "\0\0\x08\0ftypmp42",
    "\0".repeat(2048),
  ),
  "EBML of an unknown DocType": ebml("flubber"),
  "EBML whose DocType comes late": latin(
    "\x1a\x45\xdf\xa3",
    "\x01".repeat(34),
    "\x42\x82\x84webm",
  ),
  "an MP3 frame without another": latin("\xff\xfb\x90\0", "\0".repeat(2000)),
  "MPEG audio of layer II": mp3("\xff\xfd\x90\x00", 417),
  "AAC in ADTS": mp3("\xff\xf1\x50\x80", 417),
  "MP3 of a free bit rate": mp3("\xff\xfb\x00\x00", 417),
  "MP3 of a reserved version": mp3("\xff\xeb\x90\x00", 417),
};

for (const [type, end, bytes] of SAMPLES) {
  const name = `${type} by its first ${end} bytes`;
  Deno.test(`sniffedType() tells ${name}, and not before`, () => {
    const body = latin(
      ...Array.from(bytes, (each) => String.fromCharCode(each)),
      "\0".repeat(2000),
    );
    for (let length = 0; length <= 1500; length++) {
      assertEquals(
        sniffedType(body.subarray(0, length)),
        length < end ? undefined : type,
        `${length} bytes`,
      );
    }
  });
}

for (const [name, bytes] of Object.entries(UNKNOWN)) {
  Deno.test(`sniffedType() tells no type of ${name}`, () => {
    for (let length = 0; length <= bytes.length; length++) {
      assertEquals(sniffedType(bytes.subarray(0, length)), undefined);
    }
  });
}

Deno.test("sniffedType() tells no type of a pattern with a wrong byte", () => {
  for (const [type, end, bytes] of SAMPLES) {
    if (end > 36 || type === "application/vnd.ms-fontobject") continue;
    const wrong = bytes.slice();
    wrong[0]! ^= 0x40;
    assertEquals(sniffedType(wrong), undefined, type);
  }
});

Deno.test("TypeSniffer tells the same type however the bytes are cut", () => {
  const random = new Random();
  const bodies = [...SAMPLES.map(([, , bytes]) => bytes)];
  // Bytes of several patterns on top of each other.
  for (let i = 0; i < 500; i++) {
    const body = new Uint8Array(random.integer(64, 1600));
    for (let layer = 0; layer < 3; layer++) {
      const bytes = random.pick(SAMPLES)[2];
      const at = random.chance(2) ? 0 : random.integer(0, 40);
      body.set(bytes.subarray(0, Math.max(body.length - at, 0)), at);
    }
    bodies.push(body);
  }
  for (const body of bodies) {
    const wanted = sniffedType(body);
    for (const most of [1, 7, 500]) {
      const sniffer = new TypeSniffer();
      let isCertain = false;
      for (let at = 0; at < body.length && !isCertain;) {
        const length = most === 1 ? 1 : random.integer(1, most);
        isCertain = sniffer.push(body.subarray(at, at + length));
        at += length;
      }
      assertEquals(sniffer.type, wanted, random.hint);
      if (wanted !== undefined) assert(isCertain, random.hint);
    }
  }
});

for (
  const [name, start, certain] of [
    ["no pattern can match any more", "<!DOCTYPE html>", 35],
    ["no second frame follows an MP3 frame", "\xff\xfb\x90\x00", 418],
    ["no DocType comes", "\x1a\x45\xdf\xa3", MAX_SNIFFED_BYTES],
  ] as const
) {
  Deno.test(`TypeSniffer gives up when ${name}: after ${certain} bytes`, () => {
    const body = latin(start, "\0".repeat(2000));
    const sniffer = new TypeSniffer();
    for (let length = 1; length <= 2000; length++) {
      const isCertain = sniffer.push(body.subarray(length - 1, length));
      assertEquals(isCertain, length >= certain, `${length} bytes`);
      if (length % 10 === 0) sniffer.push(new Uint8Array(0));
    }
    assertEquals(sniffer.type, undefined);
  });
}

Deno.test("each type that bytes tell has an extension, and none can run script", () => {
  for (const [type] of SAMPLES) {
    assert(/^(?:image|audio|video|font|application)\//.test(type), type);
    assert(!/svg|xml|html|pdf|script|text/.test(type), type);
    assert(extensionsOf(type).length > 0, type);
  }
});

Deno.test("octet-stream alone is a type that names nothing", () => {
  const names = {
    "application/octet-stream": true,
    "Application/Octet-Stream ; padding=4": true,
    "application/octet-stream;": true,
    "application/octet-stream-foo": false,
    "application/x-octet-stream": false,
    "image/png": false,
  };
  for (const [name, isUnnamed] of Object.entries(names)) {
    assertEquals(UNNAMED_TYPE_REGEXP.test(name), isUnnamed, name);
  }
});
