import { join } from "@std/path";
import { MediaCache } from "../../mod.ts";
import type { Random } from "../fixtures/inputs/random.ts";
import { CallFault, WriteFault } from "../fixtures/faults/disk_faults.ts";
import { pause } from "./caller.ts";
import type { Faults } from "./faults.ts";
import type { Tally } from "./tally.ts";

/** The longest time between two disturbances, in milliseconds. */
const CALM_MS = 6_000;

/** The approximate duration of a disturbance, in milliseconds. */
const TROUBLE_MS = 400;

/** The disturbances of the directory and of the disk. */
type Trouble = (dir: string, random: Random) => Promise<void>;

/** The number of disturbances of each kind. */
export function troublesIn({ calls }: Tally): Record<string, number> {
  return Object.fromEntries(
    TROUBLES.map(([name]) => [name, calls[`trouble: ${name}`] ?? 0]),
  );
}

/**
 * Disturbs a cache's directory, again and again; each time within `seconds`.
 */
export async function makeTrouble(
  dir: string,
  seconds: number,
  random: Random,
  faults: Faults,
  tally: Tally,
  signal: AbortSignal,
): Promise<void> {
  const turnMs = 1_000 * seconds / (TROUBLES.length + 1);
  const calmMs = Math.max(0, Math.min(CALM_MS, turnMs - TROUBLE_MS));
  for (let i = 0; !signal.aborted; i++) {
    await until(signal, calmMs);
    if (signal.aborted) return;
    const [name, trouble] = TROUBLES[i % TROUBLES.length] as [string, Trouble];
    tally.call(`trouble: ${name}`);
    const end = faults.trouble();
    try {
      await trouble(dir, random);
    } catch (error) {
      tally.wrong(`cannot make trouble, ${name}: ${error}`);
    } finally {
      end();
    }
  }
}

const TROUBLES: [string, Trouble][] = [
  ["files vanish", async (dir, random) => {
    for (const name of await someNames(dir, random)) {
      await vanish(join(dir, name));
    }
  }],
  ["a full disk", async () => {
    using _fault = new WriteFault(0);
    await pause(300);
  }],
  ["files are cut", async (dir, random) => {
    for (const name of await someNames(dir, random)) {
      if (name.endsWith(".dat")) await cut(join(dir, name));
    }
  }],
  ["no file can be opened", async () => {
    using _fault = new CallFault("openSync", new Error("Too many open files"));
    await pause(300);
  }],
  ["the directory is away", async (dir) => {
    const away = `${dir}.away`;
    await Deno.rename(dir, away);
    await pause(200);
    try {
      await Deno.rename(away, dir);
    } catch {
      // A new directory was made in its place.
      await Deno.remove(away, { recursive: true });
    }
  }],
  ["no name can be changed", async () => {
    using _fault = new CallFault("renameSync", new Error("Input/output error"));
    await pause(300);
  }],
  ["another cache comes and goes", async (dir) => {
    await using visitor = await MediaCache.open({
      cacheDir: dir,
      onEvent() {},
    });
    let left = 20;
    for await (const { url } of visitor.entries()) {
      if (left-- === 0) break;
      const media = await visitor.get(url);
      await media?.bytes().catch(() => {});
    }
  }],
];

async function someNames(dir: string, random: Random): Promise<string[]> {
  const names = await Array.fromAsync(Deno.readDir(dir), ({ name }) => name);
  return names.filter(() => random.chance(10));
}

async function vanish(path: string): Promise<void> {
  await Deno.remove(path).catch(() => {});
}

async function cut(path: string): Promise<void> {
  try {
    const { size } = await Deno.stat(path);
    await Deno.truncate(path, Math.floor(size / 2));
  } catch {
    // The file has gone since then.
  }
}

/** Waits this long, or until the end. */
function until(signal: AbortSignal, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
  });
}
