/** Cached files, served over HTTP. */
import { hash } from "node:crypto";
import { fromFileUrl } from "@std/path";
import { BARE_DENO, type Bench, MIB, NGINX, OURS } from "../bench.ts";
import { assertServes, load } from "../load.ts";
import type { MediaServerOptions } from "../media_server.ts";
import type { Cell, Row } from "../measurement.ts";
import { startNginx } from "../nginx.ts";
import { cpuSecondsOf, peakRssOf } from "../resident.ts";
import { type Server, startServer } from "../server.ts";
import { denoCommand } from "../work.ts";
import { compare } from "./targets.ts";

const SERVER = fromFileUrl(new URL("../media_server.ts", import.meta.url));

/** The URL of the file in the cache. */
const URL_OF_FILE = "http://media.test/clip.mp4";

/** The names of cells of this package, and of `Deno.serve` without a cache. */
const ROUTER = `${OURS}, through the router`;
const BARE = {
  array: `${BARE_DENO}.serve from RAM`,
  file: `${BARE_DENO}.serve from a file`,
};

/** The rows. */
export function serveRows({ quick }: Bench): Row[] {
  return [
    serveRow(quick, "64k", 65_536, "array", 0.75),
    serveRow(quick, "8m", 8 * MIB, "file", 0.9),
  ];
}

function serveRow(
  quick: boolean,
  id: string,
  size: number,
  bare: keyof typeof BARE,
  atLeast: number,
): Row {
  const served = (
    contender: string,
    start: (dir: string) => Promise<Server>,
    path = `/${size}`,
  ): Cell => ({
    contender,
    run: async (dir) => {
      await using server = await start(dir);
      const url = server.origin + path;
      await assertServes(url, size);
      if (!quick) await load(url, 16, 1); // to warm up
      const measures: Record<string, number> = {};
      const cpuMs: Record<string, number> = {};
      for (const connections of [1, 16]) {
        const measure = connections === 1 ? "serve" : `serve-${connections}`;
        const before = cpuSecondsOf(server.pid) ?? NaN;
        const least = quick || connections === 1 ? 1 : 2;
        const { each, seconds } = await load(url, connections, least);
        const cpu = (cpuSecondsOf(server.pid) ?? NaN) - before;
        measures[measure] = each;
        cpuMs[measure] = cpu * 1000 * each / seconds;
      }
      return { measures, cpuMs, peakRssBytes: peakRssOf(server.pid) };
    },
  });
  const byDeno = (
    contender: string,
    how: MediaServerOptions["how"],
    path?: string,
  ) =>
    served(contender, (dir) => {
      const options: MediaServerOptions = { dir, url: URL_OF_FILE, size, how };
      return startServer(denoCommand(SERVER, JSON.stringify(options)));
    }, path);
  const title = size < MIB ? `${size / 1024} KiB` : `${size / MIB} MiB`;
  const what = `serve ${title} ×16`;
  const measure = "serve-16";
  return {
    id: `serve-${id}`,
    title: `${title}: a cached file over HTTP`,
    cells: [
      byDeno(OURS, "response"),
      // Memory keeps no larger body in any case.
      ...(size < MIB ? [byDeno(`${OURS}, not in memory`, "disk")] : []),
      byDeno(ROUTER, "router", `/media/${hash("sha256", URL_OF_FILE, "hex")}`),
      byDeno(BARE[bare], bare),
      { ...served(NGINX, (dir) => startNginx(dir, size)), rounds: 3 },
    ],
    columns: [
      { measure: "serve", title: "requests/s", unit: "rate" },
      { measure, title: "requests/s ×16", unit: "rate" },
    ],
    targets: [
      compare({ what, measure, other: BARE[bare] }, { atLeast }),
      compare({
        what: `${what} through the router`,
        ...{ measure, ours: ROUTER, other: OURS },
      }, { atLeast: 0.75 }),
    ],
    rounds: quick ? 1 : 5,
  };
}
