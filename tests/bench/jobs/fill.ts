/** Fills a directory with entries. */
import { MediaCache } from "@media-cache/media-cache";
import { hash } from "node:crypto";
import { join } from "@std/path";
import type { Sample } from "../measurement.ts";
import type { Work } from "../work.ts";
import { randomBytes, Stopwatch } from "./job.ts";

/** The size of the directory. */
export interface FillWork extends Work {
  /** The number of entries. */
  readonly entries: number;
  /** Bytes of each entry. */
  readonly size: number;
}

/** Measures `fill`, and leaves a directory that was closed cleanly. */
export async function run(work: Work): Promise<Sample> {
  const { dir, entries, size } = work as FillWork;
  const open = () => MediaCache.open({ cacheDir: dir, maxSizeMb: 100_000 });
  const data = randomBytes(size);
  const first = await open();
  await first.put(entryUrl(0), data, "video/mp4", entryName(0));
  await first.close();
  // A million puts take too long; copied files are the same as theirs.
  const sidecar = await Deno.readTextFile(pathOf(dir, 0, "json"));
  const watch = new Stopwatch();
  await watch.time("fill", 1, 1, () => {
    for (let i = 1; i < entries; i++) {
      const options = { mode: 0o600 };
      Deno.writeFileSync(pathOf(dir, i, "dat"), data, options);
      Deno.writeTextFileSync(
        pathOf(dir, i, "json"),
        sidecarOf(sidecar, i),
        options,
      );
    }
    return Promise.resolve();
  });
  const all = await open();
  const found = all.stats().entries;
  if (found !== entries) throw new Error(`${found} of ${entries} entries`);
  await all.close();
  return watch;
}

/** The sidecar of another entry, made from the sidecar of the first. */
function sidecarOf(first: string, i: number): string {
  return first.replace(entryUrl(0), entryUrl(i))
    .replace(`"${entryName(0)}"`, `"${entryName(i)}"`)
    .replace(
      /("ts":\s*)([\d.]+)/,
      (_, name: string, ts: string) => `${name}${Number(ts) + i / 1000}`,
    );
}

function pathOf(dir: string, i: number, suffix: string): string {
  return join(dir, `${hash("sha256", entryUrl(i), "hex")}.${suffix}`);
}

function entryName(i: number): string {
  return `clip-${i}.mp4`;
}

/** The URL of the n-th entry, as long as the URLs of chat services. */
export function entryUrl(i: number): string {
  const id = 1_000_000_000_000_000_000n + BigInt(i) * 7919n;
  return `https://cdn.example.test/attachments/${id}/${
    entryName(i)
  }?ex=67f00000&is=67efffff`;
}
