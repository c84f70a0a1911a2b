import { assert, assertEquals, assertNotMatch } from "@std/assert";
import {
  filenameFromUrl,
  replaceExtension,
  safeFilename,
  withFittingExtension,
} from "../../../src/core/text/filename.ts";

function bytesOf(text: string): number {
  return new TextEncoder().encode(text).byteLength;
}

Deno.test("safeFilename() returns a safe name unchanged", async (t) => {
  const names = [
    "cat.png",
    "a cat (1).png",
    ".htaccess",
    "attachment",
    "日本.gif",
    "🐱.webp",
    "Song - live.mp3",
    "a..b.png",
    "100% 'quoted' & (b);,=[c]{d}~!@#$^`+.png",
    "console.png",
    "com.png",
    "com10.png",
    "nul-and-void",
    "_con.png",
    "\uff1a\uff1f.png",
    "שלום\u200f.png",
    "👩\u200d🚀.png",
    "x".repeat(196) + ".png",
  ];
  for (const name of names) {
    await t.step(
      name.slice(0, 40),
      () => assertEquals(safeFilename(name), name),
    );
  }
});

Deno.test("safeFilename() turns any text into one safe path segment", async (t) => {
  const cases: [given: string, expected: string][] = [
    ["", "attachment"],
    [".", "attachment"],
    ["..", "attachment"],
    ["...", "attachment"],
    [" . . ", "attachment"],
    ["/", "attachment"],
    ["\\", "attachment"],
    ["C:", "attachment"],
    ["\0\r\n", "attachment"],
    ["../../etc/passwd", "passwd"],
    ["..\\..\\boot.ini", "boot.ini"],
    ["/var/lib/", "lib"],
    ["a/..", "attachment"],
    ["C:\\temp\\cat.png", "cat.png"],
    ["C:cat.png", "cat.png"],
    [" c: D:cat.png", "cat.png"],
    ["a/\0/", "a"],
    ["cat\0.png", "cat.png"],
    ["a\r\nb\x7f\x85.png", "ab.png"],
    ["a\u2028b\u2029c", "abc"],
    ["\u202egpj.exe", "gpj.exe"],
    ["\u2066a\u2069.png", "a.png"],
    ["  cat.png\u00a0\u3000", "cat.png"],
    ["cat. . .", "cat"],
    ["a\ud800.png", "a\ufffd.png"],
    ["\udc00", "\ufffd"],
    ["\ud83d\0\udc31.png", "🐱.png"],
    ["what?.png", "what_.png"],
    ["a|b*.png", "a_b_.png"],
    ['<"a">.png', "__a__.png"],
    ["Song: live.mp3", "Song_ live.mp3"],
    ["12:30 photo.png", "12_30 photo.png"],
    ["photo.jpg:large", "photo.jpg"],
    ["photo.JPG:orig", "photo.JPG"],
    ["a.b:c.png:small", "a.b_c.png"],
    ["photo.png::$DATA", "photo.png__$DATA"],
    ["notes.txt:x", "notes.txt_x"],
    ["photo.jpg:", "photo.jpg"],
    ["photo.jpg: the end", "photo.jpg_ the end"],
    ["?", "_"],
    ["con", "_con"],
    ["CON.png", "_CON.png"],
    ["con .png", "_con .png"],
    ["nul.tar.gz", "_nul.tar.gz"],
    ["aux.", "_aux"],
    ["PRN", "_PRN"],
    ["com0", "_com0"],
    ["LPT9.png", "_LPT9.png"],
    ["com¹.png", "_com¹.png"],
    ["CONIN$", "_CONIN$"],
    ["conout$.txt", "_conout$.txt"],
    ["nul:", "nul_"],
    ["con\0.png", "_con.png"],
  ];
  for (const [given, expected] of cases) {
    await t.step(
      JSON.stringify(given),
      () => assertEquals(safeFilename(given), expected),
    );
  }
});

Deno.test("safeFilename() returns the given fallback when nothing is left", () => {
  assertEquals(safeFilename("..", "cat.png"), "cat.png");
  assertEquals(safeFilename("dog.png", "cat.png"), "dog.png");
});

Deno.test("safeFilename() shortens a name and keeps its extension", async (t) => {
  const cases: [given: string, expected: string][] = [
    ["x".repeat(300) + ".png", "x".repeat(196) + ".png"],
    ["x".repeat(300), "x".repeat(200)],
    ["é".repeat(300) + ".webp", "é".repeat(125) + ".webp"],
    ["日".repeat(300) + ".png", "日".repeat(83) + ".png"],
    ["🐱".repeat(300) + ".png", "🐱".repeat(62) + ".png"],
    ["x" + "🐱".repeat(300) + ".png", "x" + "🐱".repeat(62) + ".png"],
    ["a." + "x".repeat(300), "a." + "x".repeat(198)],
    ["x".repeat(199) + " . " + "y".repeat(9), "x".repeat(199)],
    ["con" + " ".repeat(300) + "x", "_con"],
    ["con." + "x".repeat(300), "_con." + "x".repeat(195)],
  ];
  for (const [given, expected] of cases) {
    await t.step(given.slice(-12), () => {
      assertEquals(safeFilename(given), expected);
      assert(bytesOf(expected) <= 255);
    });
  }
});

Deno.test("safeFilename() takes linear time", () => {
  const size = 500_000;
  const start = performance.now();
  for (
    const name of [
      ".".repeat(size) + "x",
      " ".repeat(size) + "x",
      "a:".repeat(size),
      "x. ".repeat(size),
      ".jpg:".repeat(size),
      "con ".repeat(size),
      "/".repeat(size),
    ]
  ) {
    safeFilename(name);
  }

  // Quadratic time would take minutes.
  assert(performance.now() - start < 60_000);
});

Deno.test("safeFilename() falls back when nothing is left of a too long name", () => {
  const name = `.${" ".repeat(260)}x`;

  assertEquals(safeFilename(name), "attachment");
  assertEquals(safeFilename(name, "photo"), "photo");
});

Deno.test("safeFilename() gives a safe name for any string, and a second pass changes nothing", async (t) => {
  const seed = Date.now() & 0x7fffffff;
  let state = seed | 1;
  const random = (below: number) => {
    state ^= state << 13; // xorshift32
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
  const alphabet = [
    "/",
    "\\",
    ".",
    " ",
    ":",
    "C",
    "a",
    "é",
    "日",
    "\ud83d",
    "\udc31",
    "\0",
    "\n",
    "\u202e",
  ];
  alphabet.push("\u2067", "\u2028", "\ufeff", ".png", "?", "<", "|", '"');
  alphabet.push("con", "NUL", "com1", "lpt²", "CONIN$", ".jpg:", "_", "large");

  await t.step(`seed ${seed}`, () => {
    for (let round = 0; round < 20_000; round++) {
      const units = Array.from(
        { length: random(12) },
        () => alphabet[random(alphabet.length)]!,
      );
      if (round % 4 === 0) {
        units.splice(
          random(units.length + 1),
          0,
          String.fromCharCode(random(0x10000)).repeat(random(260)),
        );
      }
      const name = safeFilename(units.join(""));

      assert(name.length > 0 && name.length <= 200 && bytesOf(name) <= 255);
      assert(name.isWellFormed());
      assertNotMatch(
        name,
        /[/\\<>:"|?*\p{Cc}\u202a-\u202e\u2066-\u2069]|^\s|[\s.]$/u,
      );
      assertNotMatch(
        name.split(".")[0]!.trimEnd(),
        /^(?:con|prn|aux|nul|(?:com|lpt)[\d¹²³]|con(?:in|out)\$)$/i,
      );
      assertEquals(safeFilename(name), name);
    }
  });
});

Deno.test("filenameFromUrl() takes the last segment of the path", async (t) => {
  const cases: [url: string, expected: string][] = [
    ["https://example.com/a/cat.png", "cat.png"],
    ["https://example.com/cat.png?size=1/2&name=dog.jpg#x/y", "cat.png"],
    ["https://example.com/cat.png#top?x", "cat.png"],
    ["https://example.com/a%20cat%C3%A9.png", "a caté.png"],
    ["https://example.com/100%_caf%C3%A9.png", "100%_café.png"],
    ["https://example.com/caf%E9.png", "caf%E9.png"],
    ["https://example.com/o/images%2Fcat.png?alt=media", "cat.png"],
    ["https://example.com/..%2F..%2Fetc%2Fpasswd", "passwd"],
    ["https://example.com/%00%0d%0a", "attachment"],
    ["https://example.com/%2e%2e", "attachment"],
    ["https://example.com/dir/", "dir"],
    ["https://example.com/", "attachment"],
    ["https://example.com", "attachment"],
    ["https://user:secret@example.com?q", "attachment"],
    ["https://example.com:8080", "attachment"],
    ["https:\\\\example.com\\a\\cat.png", "cat.png"],
    ["mxc://example.com/AbCd", "AbCd"],
    ["https://api.telegram.org/file/bot1:x/photos/file_1.jpg", "file_1.jpg"],
    ["tg:file_123", "file_123"],
    ["file_123", "file_123"],
    ["12:30 photo.png", "12_30 photo.png"],
    ["https://pbs.twimg.com/media/Ab_c.jpg:large", "Ab_c.jpg"],
    ["https://example.com/what%3F.png", "what_.png"],
    ["https://example.com/con.png", "_con.png"],
    ["日本.gif", "日本.gif"],
    ["", "attachment"],
    ["?", "attachment"],
    ["data:image/png;base64,AAAA/BBBB", "attachment"],
    [" DATA:,x", "attachment"],
    ["blob:https://example.com/5e2a", "attachment"],
  ];
  for (const [url, expected] of cases) {
    await t.step(
      url || "(empty)",
      () => assertEquals(filenameFromUrl(url), expected),
    );
  }
});

Deno.test("withFittingExtension() gives the name an extension of its type", async (t) => {
  const cases: [filename: string, mimetype: string, expected: string][] = [
    ["cat.png", "image/png", "cat.png"],
    ["cat.PNG", "image/png", "cat.PNG"],
    ["cat.jpeg", "image/jpeg", "cat.jpeg"],
    ["voice.oga", "audio/ogg", "voice.oga"],
    ["cat.jpg", "image/webp", "cat.webp"],
    ["cat.GIF", "video/mp4", "cat.mp4"],
    ["cat", "image/png", "cat.png"],
    ["attachment", "image/jpeg", "attachment.jpg"],
    ["download.php", "image/png", "download.php.png"],
    ["v1.2", "image/png", "v1.2.png"],
    ["archive.zip", "application/pdf", "archive.zip.pdf"],
    ["cat.png", "application/octet-stream", "cat.png"],
    ["cat", "application/octet-stream", "cat"],
    ["cat.png", "image/x-unheard-of", "cat.png"],
    ["cat.png", "Image/PNG; q=1", "cat.png"],
    ["sticker.tgs", "application/gzip", "sticker.tgs"],
    ["letter.docx", "application/zip", "letter.docx"],
    ["script.py", "text/plain", "script.py"],
    ["notes", "text/plain", "notes.txt"],
    ["v1.2", "text/plain", "v1.2.txt"],
    ["cat.", "image/png", "cat..png"],
    ["clip.m2v", "video/mpeg", "clip.m2v"],
    ["clip.MP4V", "video/mp4", "clip.MP4V"],
    ["song.mp4a", "audio/mp4", "song.mp4a"],
    ["clip.m2v", "video/mp4", "clip.mp4"],
    ["scan", "image/vnd.djvu", "scan.djvu"],
    ["scan.png", "image/vnd.djvu", "scan.djvu"],
    ["scan.php", "image/vnd.djvu", "scan.php.djvu"],
    ["letter", "application/msword", "letter.doc"],
    ["letter.docx", "application/msword", "letter.docx"],
    ["v1.2", "application/msword", "v1.2.doc"],
    ["setup.bin", "application/octet-stream", "setup.bin"],
    ["x".repeat(200), "image/png", "x".repeat(196) + ".png"],
  ];
  for (const [filename, mimetype, expected] of cases) {
    await t.step(`${filename.slice(0, 20)} as ${mimetype}`, () => {
      assertEquals(withFittingExtension(filename, mimetype), expected);
    });
  }
});

Deno.test("replaceExtension() replaces an extension or appends one", async (t) => {
  const cases: [filename: string, expected: string][] = [
    ["cat.gif", "cat.mp4"],
    ["cat.GIF", "cat.mp4"],
    ["cat.tar.gif", "cat.tar.mp4"],
    ["cat.bin", "cat.mp4"],
    ["cat", "cat.mp4"],
    ["v1.2", "v1.2.mp4"],
    ["Dr. Who", "Dr. Who.mp4"],
    [".gif", ".gif.mp4"],
    ["x".repeat(200), "x".repeat(196) + ".mp4"],
  ];
  for (const [filename, expected] of cases) {
    await t.step(
      filename.slice(0, 20),
      () => assertEquals(replaceExtension(filename, ".mp4"), expected),
    );
  }
});
