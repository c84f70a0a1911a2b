/** The order of the rooms: which file may import, call or spawn which other. */
import { assertEquals } from "@std/assert";
import { walk } from "@std/fs/walk";
import { fromFileUrl } from "@std/path";
import config from "../../deno.json" with { type: "json" };

const root = new URL("../../", import.meta.url);

/** The file with the file system's calls, and the file that starts programs. */
const FILE_SYSTEM = "src/core/disk/file_system.ts";
const SPAWNER = "src/core/gif/ffmpeg.ts";

/** Calls the file system too, for open files. */
const OPEN_FILES = "src/core/disk/disk_file.ts";

/** Calls the file system too, for files that a user of the command line names. */
const USER_FILES = "src/cli/call/user_files.ts";

/** `Deno.open`, `Deno.readTextFileSync`, …; not the types, `Deno.FsFile`. */
const FILE_CALLS =
  /\bDeno\.(?:open|create(?!HttpClient)|read|write|rename|remove(?!SignalListener)|mkdir|makeTemp|l?stat|f?utime|f?truncate|chmod|chown|copyFile|link|symlink|realPath|umask|watchFs)\w*|"(?:node:)?fs(?:\/promises)?"/;
const SPAWN_CALLS =
  /\bDeno\.(?:Command\b|run\b|spawn)|"(?:node:)?child_process"/;

/**
 * The rooms of `src/core`: a file imports from its own room, or from a room to
 * the left.
 */
const ROOMS = [
  ...["text", "api", "reporting", "async", "disk", "notes", "catalog"],
  ...[
    "bodies",
    "sharing",
    "gif",
    "entries",
    "index",
    "startup",
    "remote",
    "download",
    "freshness",
  ],
];

/** Files of `src/core` that see all rooms, and that no room sees. */
const HALL = ["wiring.ts", "media_cache.ts", "inspection.ts"];

/** The part of the core that the subpaths see. */
const OPEN_TO_SUBPATHS =
  /^src\/core\/(?:media_cache\.ts|inspection\.ts|api\/|text\/|async\/pacer\.ts)/;

/** The most lines of code of a file, without comments and blank lines. */
const MAX_LINES = 350;

/** The most files of a room whose README need not name them. */
const MAX_FILES = 12;

interface Module {
  specifier: string;
  dependencies?: {
    code?: { specifier?: string };
    type?: { specifier?: string };
  }[];
}

/** Each module that an export reaches, with its imports, types included. */
async function graph(file: string): Promise<Map<string, string[]>> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", file],
    cwd: fromFileUrl(root),
    stderr: "inherit",
  }).output();
  const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as {
    modules: Module[];
  };
  return new Map(modules.map(({ specifier, dependencies = [] }) => [
    short(specifier),
    dependencies.flatMap(({ code, type }) => [code?.specifier, type?.specifier])
      .filter((each) => each !== undefined).map(short),
  ]));
}

/**
 * `src/core/catalog/lru.ts` for a file of this package; other specifiers stay.
 */
function short(specifier: string): string {
  return specifier.startsWith(root.href)
    ? specifier.slice(root.href.length)
    : specifier;
}

async function sources(): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  for await (
    const { path } of walk(new URL("src", root), {
      includeDirs: false,
      exts: ["ts"],
    })
  ) {
    const text = await Deno.readTextFile(path);
    const code = text.replace(/^\s*(?:\/\*[\s\S]*?\*\/|\/\/.*$)/gm, "");
    texts.set(path.slice(fromFileUrl(root).length).replaceAll("\\", "/"), code);
  }
  return texts;
}

/** A way from a module back to itself, or undefined. */
function cycle(modules: Map<string, string[]>): string[] | undefined {
  const done = new Set<string>();
  const path: string[] = [];
  function visit(module: string): string[] | undefined {
    if (path.includes(module)) {
      return [...path.slice(path.indexOf(module)), module];
    }
    if (done.has(module)) return;
    path.push(module);
    for (const next of modules.get(module) ?? []) {
      const found = visit(next);
      if (found) return found;
    }
    path.pop();
    done.add(module);
    return undefined;
  }
  for (const module of modules.keys()) {
    const found = module.startsWith("src/") ? visit(module) : undefined;
    if (found) return found;
  }
  return undefined;
}

const core = await graph("mod.ts");
const all = new Map(core);
for (const file of Object.values(config.exports)) {
  for (const [module, imports] of await graph(file)) all.set(module, imports);
}
const texts = await sources();

Deno.test("imports in src form no cycle", () => {
  assertEquals(cycle(all), undefined);
});

Deno.test("the core needs no npm package and no other export", () => {
  // Each subpath has a folder of its own in src, beside core.
  const unwanted = [...core.values()].flat()
    .filter((each) => /^npm:|^src\/(?!core\/)\w+\//.test(each));
  assertEquals(unwanted, []);
});

Deno.test("npm packages stay in the folder of the export that needs them", () => {
  const strangers = [...all].filter(([module]) => module.startsWith("src/"))
    .flatMap(([module, imports]) =>
      imports.filter((each) => each.startsWith("npm:"))
        .map((each) => `${module.match(/^src\/\w+/)?.[0]} ${each}`)
    )
    .filter((each) =>
      !/^src\/(?:hono npm:\/?hono|cli npm:\/?cli-progress|s3 npm:\/?aws4fetch|guard npm:\/?ipaddr\.js)\b/
        .test(each)
    );
  assertEquals(strangers, []);
});

Deno.test("the folders of the exports do not import from each other, but for cli from platforms and s3, and guard and s3 from http1", () => {
  const crossing = [...all].flatMap(([module, imports]) =>
    imports.filter((each) => {
      const [from, to] = [module, each].map((path) =>
        path.match(/^src\/(\w+)\//)?.[1]
      );
      // Commands name entries as a bot with platforms() does, and load the code for
      // buckets where the environment names one.
      if (from === "cli" && (to === "platforms" || to === "s3")) return false;
      // No subpath: HTTP/1.1 by hand, for the two that Deno's fetch does not serve.
      if (to === "http1" && (from === "guard" || from === "s3")) return false;
      return to !== undefined && to !== "core" && from !== to;
    }).map((each) => `${module} ${each}`)
  );
  assertEquals(crossing, []);
});

Deno.test("http1 imports from no other folder", () => {
  const wrong = [...all].filter(([module]) => module.startsWith("src/http1/"))
    .flatMap(([module, imports]) =>
      imports.filter((each) => !each.startsWith("src/http1/"))
        .map((each) => `${module} ${each}`)
    );
  assertEquals(wrong, []);
});

Deno.test("rooms import from rooms to their left", () => {
  const roomOf = (path: string) => /^src\/core\/([^/]+)/.exec(path)?.[1] ?? "";
  const wrong = [...all].flatMap(([module, imports]) => {
    const room = roomOf(module);
    if (room === "" || HALL.includes(room)) return [];
    return imports.filter((each) => each.startsWith("src/"))
      .filter((each) => {
        const at = ROOMS.indexOf(roomOf(each));
        return at < 0 || at > ROOMS.indexOf(room);
      }).map((each) => `${module} ${each}`);
  });
  assertEquals(wrong, []);
});

Deno.test("a unit test lies in the folder of the room that it tests", async () => {
  const wrong: string[] = [];
  for await (
    const { path } of walk(new URL("tests/core", root), {
      match: [/_test\.ts$/],
    })
  ) {
    const [room = "", file = ""] = path.replaceAll("\\", "/")
      .split("/tests/core/")[1]?.split("/") ?? [];
    const text = await Deno.readTextFile(path);
    const tested = `src/core/${room}/${file.replace("_test.ts", ".ts")}`;
    if (!text.includes(`/src/core/${room}/`) && !texts.has(tested)) {
      wrong.push(`tests/core/${room}/${file}`);
    }
  }
  assertEquals(wrong, []);
});

Deno.test("subpaths see the face, the types and the texts of the core", () => {
  const wrong = [...all].flatMap(([module, imports]) =>
    !/^src\/(?!core\/)\w+\//.test(module)
      ? []
      : imports.filter((each) =>
        each.startsWith("src/core/") && !OPEN_TO_SUBPATHS.test(each)
      ).map((each) => `${module} ${each}`)
  );
  assertEquals(wrong, []);
});

Deno.test("a file has at most 350 lines of code", () => {
  const long = [...texts].map(([file, code]) => {
    const lines = code.split("\n").filter((line) => line.trim() !== "");
    return `${file}: ${lines.length}`;
  }).filter((line) => Number(line.split(": ")[1]) > MAX_LINES);
  assertEquals(long, []);
});

Deno.test("the README of a room with more than twelve files names each of them", async () => {
  const rooms = Map.groupBy(
    texts.keys(),
    (file) => file.slice(0, file.lastIndexOf("/")),
  );
  const unnamed: string[] = [];
  for (const [room, files] of rooms) {
    if (files.length <= MAX_FILES) continue;
    const readme = await Deno.readTextFile(new URL(`${room}/README.md`, root))
      .catch(() => "");
    unnamed.push(
      ...files.filter((file) =>
        !readme.includes(`\`${file.slice(room.length + 1)}\``)
      ),
    );
  }
  assertEquals(unnamed, []);
});

Deno.test("rooms use the files in cacheDir by the store, but for the list and the index", () => {
  const users = [...all].filter(([, imports]) => imports.includes(FILE_SYSTEM))
    .map(([module]) => module)
    .filter((module) => !module.startsWith("src/core/disk/")).sort();
  // The first two make it for the others; each of the last two has one file.
  assertEquals(
    users,
    [
      "src/core/inspection.ts",
      "src/core/wiring.ts",
      "src/core/sharing/change_log.ts",
      "src/core/index/index_file.ts",
    ].sort(),
  );
});

Deno.test("an export reaches every file of src", () => {
  assertEquals([...texts.keys()].filter((file) => !all.has(file)), []);
});

Deno.test(`only ${FILE_SYSTEM}, ${OPEN_FILES} and ${USER_FILES} call the file system`, () => {
  assertEquals(callers(FILE_CALLS, FILE_SYSTEM, OPEN_FILES, USER_FILES), {});
});

Deno.test(`only ${SPAWNER} starts programs`, () => {
  assertEquals(callers(SPAWN_CALLS, SPAWNER), {});
});

/** The matching files with the matched text, without the allowed files. */
function callers(
  calls: RegExp,
  ...allowed: string[]
): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [file, code] of texts) {
    const call = code.match(calls)?.[0];
    if (call && !allowed.includes(file)) found[file] = call;
  }
  return found;
}
