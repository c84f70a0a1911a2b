/** Cached files, served over HTTP. */
import { fromFileUrl } from "@std/path";
import { type Bench, MIB, OURS } from "../bench.ts";
import { assertServes, load } from "../load.ts";
import type { MediaServerOptions } from "../media_server.ts";
import type { Cell, Row } from "../measurement.ts";
import { NGINX, startNginx } from "../nginx.ts";
import { cpuSecondsOf, peakRssOf } from "../resident.ts";
import { type Server, startServer } from "../server.ts";
import { denoCommand } from "../work.ts";
import type { Target } from "../verdict.ts";

const SERVER = fromFileUrl(new URL("../media_server.ts", import.meta.url));

/** The rows. */
export function serveRows(bench: Bench): Row[] {
  return [
    serveRow(bench, "64k", 65_536, 0.5),
    serveRow(bench, "8m", 8 * MIB, 1),
  ];
}

function serveRow(
  { quick }: Bench,
  id: string,
  size: number,
  atLeast: number,
): Row {
  const served = (
    contender: string,
    start: (dir: string) => Promise<Server>,
  ): Cell => ({
    contender,
    run: async (dir) => {
      await using server = await start(dir);
      const url = `${server.origin}/${size}`;
      await assertServes(url, size);
      if (!quick) await load(url, 16, 1); // to warm up
      const seconds = quick ? 1 : 2;
      const measures: Record<string, number> = {};
      const cpuMs: Record<string, number> = {};
      for (
        const [measure, connections] of [["one", 1], ["many", 16]] as const
      ) {
        const before = cpuSecondsOf(server.pid) ?? NaN;
        const each = await load(url, connections, seconds);
        const cpu = (cpuSecondsOf(server.pid) ?? NaN) - before;
        measures[measure] = each;
        cpuMs[measure] = cpu * 1000 * each / seconds;
      }
      return { measures, cpuMs, peakRssBytes: peakRssOf(server.pid) };
    },
  });
  const ours = (how: MediaServerOptions["how"]) => (dir: string) => {
    const options: MediaServerOptions = { dir, size, how };
    return startServer(denoCommand(SERVER, JSON.stringify(options)));
  };
  const title = size < MIB ? `${size / 1024} KiB` : `${size / MIB} MiB`;
  const target: Target = {
    title: `serve ${title} over HTTP, against nginx`,
    needs: [[OURS, "one"], [NGINX, "one"]],
    figure: (mine = NaN, theirs = NaN) => theirs / mine,
    limit: { atLeast },
    unit: "×",
  };
  return {
    id: `serve-${id}`,
    title: `${title}: a cached file over HTTP`,
    cells: [
      served(OURS, ours("response")),
      served(`${OURS}, not in memory`, ours("disk")),
      served(`${OURS}, through the router`, ours("router")),
      served(NGINX, (dir) => startNginx(dir, size)),
    ],
    columns: [
      { measure: "one", title: "requests/s", unit: "rate" },
      { measure: "many", title: "requests/s ×16", unit: "rate" },
    ],
    targets: [target],
    rounds: quick ? 1 : 5,
  };
}
