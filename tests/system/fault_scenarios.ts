import type { FaultPoints, FaultScenario } from "./fault_points.ts";

const KB = 1024;

/**
 * The result of a lookup during a disk fault, before or after its first byte.
 */
const MAYBE_HIT = /^disk$|^miss$|os error/;

/** The error for bytes that are lost when the disk fails. */
const NOT_IN_TIME = /was not read in time$/;

/** Expects stored entries to be readable; other entries may be. */
async function look(
  points: FaultPoints,
  stored: Record<string, boolean>,
): Promise<void> {
  for (const [url, isStored] of Object.entries(stored)) {
    const found = await points.cache.ask("get", url);
    points.expect(url, found, isStored ? /^disk$/ : /^disk$|^miss$/);
  }
}

/** Expects a download to be whole, and stored unless it was stored before. */
async function heal(points: FaultPoints, url: string): Promise<void> {
  const { cache } = points;
  points.expect(url, (await cache.ask("download", url)).read, /^whole$/);
  points.expect(url, await cache.ask("get", url), /^disk$/);
}

function everyday(): FaultScenario {
  const kept = "k:300000";
  const memory = "m:50000";
  const replaced = "r:300000";
  const removed = "x:200000";
  const running = `a:${384 * KB}`;
  const later = "l:100000";
  const added = "p:150000";
  let stored: Record<string, boolean> = {};
  return {
    name:
      "readers of a download, lookups, a second download, puts and a deletion",
    options: { durable: true, maxMemoryItemMb: 0.05 },
    async prepare({ cache }) {
      for (const url of [memory, kept, replaced, removed]) {
        await cache.ask("put", url);
      }
      for (const url of [running, later, added]) await cache.ask("delete", url);
      await cache.ask("begin", running);
    },
    async use(points) {
      const { cache } = points;
      const { late, stored: isStored, ...readers } = await cache
        .ask("finish", running);
      for (const [name, read] of Object.entries(readers)) {
        points.expectWhole(name, read);
      }
      points.expectWhole("late", late, NOT_IN_TIME);
      points.expect("memory", await cache.ask("get", memory), /^memory$/);
      points.expect("disk", await cache.ask("get", kept), MAYBE_HIT);
      const download = await cache.ask("download", later);
      points.expectWhole("download", download.read);
      stored = {
        [kept]: true,
        [running]: isStored,
        [later]: download.stored,
        [added]: await cache.ask("put", added),
        [replaced]: await cache.ask("put", replaced),
      };
      const isRemoved = await cache.ask("delete", removed);
      if (!isRemoved) stored[removed] = false;
    },
    async look(points) {
      const { cache } = points;
      points.expect("memory", await cache.ask("get", memory), /^memory$/);
      await look(points, stored);
      if (removed in stored) return;
      points.expect("removed", await cache.ask("get", removed), /^miss$/);
    },
    async heal(points) {
      await heal(points, running);
      await heal(points, later);
      for (const url of [added, replaced]) {
        points.expect(url, await points.cache.ask("put", url), /^true$/);
      }
    },
  };
}

function eviction(): FaultScenario {
  const maxSizeMb = 1;
  const victims = ["a", "b", "c", "d"].map((name) => `${name}:250000`);
  let stored: Record<string, boolean> = {};
  const checkBudget = async (points: FaultPoints) => {
    const { stats } = await points.cache.ask("tell");
    points.expect("budget", stats.totalBytes <= maxSizeMb * KB * KB, /^true$/);
  };
  return {
    name: "a download and a put that evict others",
    options: { maxSizeMb, maxMemoryItems: 0 },
    async prepare({ cache }) {
      for (const url of ["l:300000", "p:200000"]) {
        await cache.ask("delete", url);
      }
      for (const url of victims) await cache.ask("put", url);
    },
    async use(points) {
      const { cache } = points;
      const { read, stored: isStored } = await cache.ask(
        "download",
        "l:300000",
      );
      points.expectWhole("download", read);
      stored = {
        "l:300000": isStored,
        "p:200000": await cache.ask("put", "p:200000"),
      };
      await checkBudget(points);
    },
    async look(points) {
      await look(points, stored);
      await checkBudget(points);
    },
    async heal(points) {
      await heal(points, "l:300000");
      points.expect("put", await points.cache.ask("put", "p:200000"), /^true$/);
      await checkBudget(points);
    },
  };
}

function conversion(): FaultScenario {
  return {
    name: "a GIF that is converted",
    options: { maxMemoryItems: 0 },
    async prepare({ cache }) {
      await cache.ask("delete", "g:0");
    },
    async use(points) {
      const { read } = await points.cache.ask("gif", "g:0");
      points.expectWhole("gif", read);
    },
    look: () => Promise.resolve(),
    async heal(points) {
      const { cache } = points;
      await cache.ask("delete", "g:0");
      const { mimetype, stored } = await cache.ask("gif", "g:0");
      points.expect("gif", `${mimetype} ${stored}`, /^video\/mp4 true$/);
    },
  };
}

function opening(): FaultScenario {
  const kept = ["k:300000", "o:100000"];
  return {
    name: "an opening, a lookup and a download",
    options: { maxMemoryItems: 0 },
    async prepare({ cache }) {
      for (const url of kept) await cache.ask("put", url);
      await cache.ask("delete", "l:100000");
      await cache.ask("close");
    },
    async use(points) {
      const { cache, options } = points;
      points.told(await cache.ask("open", options), /^$|cacheDir/);
      points.expect("disk", await cache.ask("get", "k:300000"), MAYBE_HIT);
      const { read } = await cache.ask("download", "l:100000");
      points.expectWhole("download", read);
    },
    async look(points) {
      const found = points.cache.ask("get", "k:300000");
      points.expect("disk", await found, /^disk$/);
    },
    async heal(points) {
      await heal(points, "l:100000");
      for (const url of kept) {
        points.expect(url, await points.cache.ask("get", url), /^disk$/);
      }
    },
  };
}

function following(): FaultScenario {
  const theirs = `t:${384 * KB}`;
  const ours = `o:${384 * KB}`;
  let stored: Record<string, boolean> = {};
  return {
    name: "readers of another process's download, and readers there of ours",
    options: { maxMemoryItems: 0 },
    isShared: true,
    async prepare({ cache, other }) {
      for (const url of [theirs, ours]) await other.ask("delete", url);
      await other.ask("begin", theirs);
      await cache.ask("begin", ours);
      await other.ask("join", ours);
      await other.ask("startJoined", ours);
    },
    async use(points) {
      const { cache, other } = points;
      const joining = await cache.ask("join", theirs)
        .then(() => "whole", String);
      points.expectWhole("joining", joining);
      const { stored: isTheirsStored, ...theirReads } = await other
        .ask("finish", theirs);
      for (const [name, read] of Object.entries(theirReads)) {
        points.expect(`their ${name}`, read, /^whole$/);
      }
      const followed = await cache.ask("readJoined", theirs)
        .catch(() => ({ read: joining, stored: false }));
      points.expectWhole("following", followed.read);
      const { late, stored: isStored, ...readers } = await cache
        .ask("finish", ours);
      for (const [name, read] of Object.entries(readers)) {
        points.expectWhole(name, read);
      }
      points.expectWhole("late", late, NOT_IN_TIME);
      // The reader has bytes, and cannot continue with another download.
      const { read } = await other.ask("readJoined", ours);
      points.expect(
        "followed",
        read,
        isStored
          ? /^whole$/
          : /^whole$|has ended$|goes on uncached: the disk failed$/,
      );
      stored = {
        [theirs]: isTheirsStored || followed.stored,
        [ours]: isStored,
      };
    },
    look: (points) => look(points, stored),
    async heal(points) {
      await heal(points, theirs);
      await heal(points, ours);
      for (const url of [theirs, ours]) {
        points.expect(url, await points.other.ask("get", url), /^disk$/);
      }
    },
  };
}

/** All scenarios, made anew. */
export const SCENARIOS: readonly (() => FaultScenario)[] = [
  everyday,
  eviction,
  conversion,
  opening,
  following,
];
