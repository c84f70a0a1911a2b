/**
 * The steps of a cache that is interrupted, and the allowed results of each.
 */
import { gifOfDelays } from "../fixtures/gif/gif_writer.ts";

/** A body that is stored under a URL, and the facts in its sidecar. */
export interface Version {
  url: string;
  /** Identifies its bytes. */
  seed: number;
  /** The length of the body; for a GIF that of the download. */
  size: number;
  mimetype: string;
  filename: string;
  /** Whether it is downloaded as a GIF, and kept as a video. */
  isGif?: boolean;
  /** Whether its sidecar has the digest of other bytes. */
  isRotten?: boolean;
}

/** How a body is downloaded; its entry may be deleted half-way. */
export type DownloadForm = "known" | "unknown" | "broken" | "deleted";

/** A step that a cache can do. */
export type Step =
  | { do: "put"; version: Version; as: "bytes" | "stream" | "broken stream" }
  | { do: "download"; version: Version; as: DownloadForm }
  | { do: "get" | "delete"; url: string }
  | { do: "clear" | "verify" | "close" };

/** A step, and the entries after it has ended. */
export interface PlannedStep {
  step: Step;
  /** The version under each URL that it changes; null for none. */
  after: Record<string, Version | null>;
}

/**
 * The contents of a directory before a cache is opened, and the steps after
 * that.
 */
export interface Scenario {
  name: string;
  /** Entries, least recently used first. */
  before: Version[];
  /** Whether there are also files of every kind that is not an entry. */
  hasLeftovers: boolean;
  /** URLs with downloads that another process has left half-way. */
  half: string[];
  /** Whether the entries have an index, as if they were many. */
  isIndexed: boolean;
  /** The budget. */
  maxSizeMb: number;
  steps: PlannedStep[];
}

/** The GIF of a scenario, the same each time. */
export const GIF = gifOfDelays([10, 20, 30]);

const SMALL = 1_000;
const LARGE = 300_000;

let seeds = 0;

function version(url: string, size: number): Version {
  const seed = ++seeds;
  const filename = `${url}-${seed}.png`;
  const mimetype = `image/x-${seed}`;
  return { url, seed, size, mimetype, filename };
}

function put(
  version: Version,
  as: "bytes" | "stream",
  victims: string[] = [],
): PlannedStep {
  return { step: { do: "put", version, as }, after: stored(version, victims) };
}

function download(
  version: Version,
  as: "known" | "unknown",
  victims: string[] = [],
): PlannedStep {
  return {
    step: { do: "download", version, as },
    after: stored(version, victims),
  };
}

function stored(
  version: Version,
  victims: string[],
): Record<string, Version | null> {
  return { ...gone(victims), [version.url]: version };
}

function gone(urls: string[]): Record<string, null> {
  return Object.fromEntries(urls.map((url) => [url, null]));
}

function scenario(
  name: string,
  options: Partial<Scenario> & Pick<Scenario, "steps">,
): Scenario {
  const close: PlannedStep = { step: { do: "close" }, after: {} };
  return {
    name,
    before: [],
    hasLeftovers: false,
    half: [],
    isIndexed: false,
    maxSizeMb: 10,
    ...options,
    steps: [...options.steps, close],
  };
}

/** All scenarios. */
export const SCENARIOS: readonly Scenario[] = [
  scenario("put", {
    steps: [
      put(version("a", SMALL), "bytes"),
      put(version("b", LARGE), "bytes"),
      put(version("c", LARGE), "stream"),
    ],
  }),
  scenario("replace", {
    before: [version("a", SMALL), version("b", SMALL), version("c", LARGE)],
    steps: [
      put(version("a", SMALL), "bytes"),
      put(version("b", LARGE), "bytes"),
      put(version("c", LARGE), "stream"),
    ],
  }),
  scenario("download", {
    before: [version("z", SMALL)],
    steps: [
      download(version("a", SMALL), "known"),
      download(version("b", LARGE), "known"),
      download(version("c", LARGE), "unknown"),
    ],
  }),
  scenario("broken body", {
    before: [version("a", SMALL)],
    steps: [
      {
        step: { do: "put", version: version("b", LARGE), as: "broken stream" },
        after: {},
      },
      {
        step: { do: "put", version: version("a", LARGE), as: "broken stream" },
        after: {},
      },
      {
        step: { do: "download", version: version("c", LARGE), as: "broken" },
        after: {},
      },
    ],
  }),
  scenario("evict", {
    before: ["a", "b", "c", "d"].map((url) => version(url, 100_000)),
    maxSizeMb: 450_000 / 1_048_576,
    steps: [
      put(version("e", LARGE), "bytes", ["a", "b", "c"]),
      download(version("f", 100_000), "unknown", ["d"]),
    ],
  }),
  scenario("delete, clear", {
    before: ["a", "b", "c", "d"].map((url) => version(url, SMALL)),
    steps: [
      { step: { do: "delete", url: "a" }, after: gone(["a"]) },
      put(version("a", SMALL), "bytes"),
      { step: { do: "clear" }, after: gone(["a", "b", "c", "d"]) },
    ],
  }),
  scenario("GIF to MP4", {
    before: [version("a", SMALL)],
    steps: [
      download({
        ...version("gif", GIF.length),
        mimetype: "video/mp4",
        filename: "gif.mp4",
        isGif: true,
      }, "unknown"),
    ],
  }),
  scenario("get, flush, close", {
    before: ["a", "b", "c"].map((url) => version(url, SMALL)),
    steps: [
      { step: { do: "get", url: "a" }, after: {} },
      { step: { do: "get", url: "b" }, after: {} },
    ],
  }),
  scenario("start", {
    before: [version("a", SMALL), version("b", LARGE)],
    hasLeftovers: true,
    steps: [],
  }),
  scenario("index", {
    before: ["a", "b", "c"].map((url) => version(url, SMALL)),
    hasLeftovers: true,
    isIndexed: true,
    steps: [
      put(version("d", SMALL), "bytes"),
      { step: { do: "get", url: "a" }, after: {} },
      { step: { do: "delete", url: "b" }, after: gone(["b"]) },
      put(version("c", SMALL), "stream"),
    ],
  }),
  scenario("verify, put over leftovers", {
    before: [
      version("a", SMALL),
      { ...version("rotten", SMALL), isRotten: true },
    ],
    hasLeftovers: true,
    steps: [
      put(version("young body", SMALL), "bytes"),
      put(version("young mismatch", SMALL), "stream"),
      { step: { do: "verify" }, after: gone(["rotten"]) },
      put(version("rotten", SMALL), "bytes"),
    ],
  }),
  scenario("download over what another left half-way", {
    before: [version("a", SMALL)],
    half: ["a", "b", "c"],
    steps: [
      { step: { do: "delete", url: "a" }, after: gone(["a"]) },
      download(version("a", SMALL), "unknown"),
      download(version("b", LARGE), "known"),
    ],
  }),
  scenario("delete during a download", {
    before: [version("a", SMALL)],
    steps: [
      {
        step: { do: "download", version: version("b", LARGE), as: "deleted" },
        after: {},
      },
      { step: { do: "delete", url: "a" }, after: gone(["a"]) },
      {
        step: { do: "download", version: version("a", LARGE), as: "deleted" },
        after: {},
      },
      download(version("a", LARGE), "unknown"),
    ],
  }),
];
