/** Hosts with a remote tier, on a real object store. */
import type { RemoteLimits } from "../../../mod.ts";
import { HostProcesses } from "../../fixtures/remote/host_processes.ts";
import { digestOf, MediaOrigin } from "../../fixtures/remote/media_origin.ts";
import type { Ceph } from "../../fixtures/remote/ceph.ts";
import { type Bench, MIB, OURS } from "../bench.ts";
import type { Cell, Row, Sample } from "../measurement.ts";
import { quantile } from "../statistics.ts";
import { deno } from "../work.ts";
import { atMost, compareBoth } from "./targets.ts";

/** The other ways to an object. */
const SIGNED = "a signed GET, aws4fetch";
const BARE = "a bare GET, signed before";

/** The states of the engine. */
const WELL = "with a tier";
const DEAD = "the engine killed";
const HUNG = "the engine hangs";

/** The ways to share among three processes. */
const SHARING = {
  directory: "one directory",
  lease: "a bucket, by lease",
  bucket: "a bucket",
  nothing: "nothing shared",
  killed: "a bucket, by lease, killed in the middle",
  hung: "a bucket, by lease, hung in the middle",
} as const;

/** Of a usual picture; small enough that the digests of all callers take no time. */
const BODY_BYTES = 307_200;

/** The rows. */
export function remoteRows(bench: Bench): Row[] {
  return [
    firstByteRow(bench),
    lookupRow(bench),
    hitRow(bench),
    hostsRow(bench),
    memoryRow(bench),
  ];
}

/** The options of a tier with a prefix of its own. */
function tierOf(ceph: Ceph) {
  const { endpoint, bucket, credentials } = ceph;
  const prefix = `${crypto.randomUUID()}/`;
  return { endpoint, bucket, credentials, region: "us-east-1", prefix };
}

function job(
  { engine }: Bench,
  contender: string,
  work: { job: string; how: string; [option: string]: unknown },
  limits: RemoteLimits = {},
): Cell {
  const run = async (dir: string): Promise<Sample> => {
    // How long a lookup takes is measured: here none is given up.
    const patient = { ...limits, lookupTimeoutMs: 60_000 };
    const tier = { ...tierOf(await engine.ready()), ...patient };
    return await deno({ ...work, dir, tier });
  };
  return { contender, run };
}

function firstByteRow(bench: Bench): Row {
  const work = {
    ...{ job: "remote_first_byte", sizes: { small: 65_536, large: MIB } },
    ...(bench.quick ? { count: 16, warmUp: 4 } : { count: 60, warmUp: 20 }),
  };
  const titles = { small: "64 KiB", large: "1 MiB" };
  const limit = { atMost: 2 };
  return {
    id: "remote-first-byte",
    title: "First byte of an object that another host has stored",
    cells: [
      job(bench, OURS, { ...work, how: "tier" }),
      job(bench, SIGNED, { ...work, how: "signed" }),
      job(bench, BARE, { ...work, how: "bare" }),
    ],
    columns: Object.entries(titles).flatMap(([measure, title]) => [
      { measure, title, unit: "time" },
      { measure: `${measure}-16`, title: `${title} ×16`, unit: "time" },
    ]),
    targets: Object.entries(titles).flatMap(([measure, title]) =>
      compareBoth(
        {
          what: `time to the first byte of a remote hit of ${title}`,
          ...{ measure, other: BARE },
        },
        limit,
        limit,
      )
    ),
    rounds: bench.quick ? 1 : 5,
  };
}

function lookupRow(bench: Bench): Row {
  const work = {
    job: "remote_lookup",
    ...(bench.quick ? { count: 32, warmUp: 8 } : { count: 300, warmUp: 50 }),
  };
  return {
    id: "remote-lookup",
    title: "From a call to the origin, where the bucket has no object",
    cells: [
      job(bench, OURS, { ...work, how: "tier" }, { readOnly: true }),
      job(bench, `${OURS}, which uploads`, { ...work, how: "tier" }),
      job(bench, `${OURS}, without a tier`, { ...work, how: "alone" }),
      job(bench, SIGNED, { ...work, how: "signed" }),
    ],
    columns: [
      { measure: "lookup", title: "lookup", unit: "time" },
      { measure: "lookup-16", title: "lookup ×16", unit: "time" },
    ],
    targets: [],
    rounds: bench.quick ? 1 : 5,
  };
}

/** Hits from disk and RAM by turns, in a host whose tier does not matter to them. */
function hitRow({ engine, quick }: Bench): Row {
  const hits = (
    contender: string,
    fault?: (ceph: Ceph) => Promise<void> | void,
  ): Cell => ({
    contender,
    run: async () => {
      const ceph = await engine.ready();
      await using origin = new MediaOrigin();
      await using hosts = await HostProcesses.start({
        count: 1,
        tier: contender === OURS ? undefined : {
          ...tierOf(ceph),
          ...{ lease: "bucket", changesEveryMs: 3_600_000 },
        },
        cache: { maxMemoryItems: 8 },
      });
      const [host] = hosts.all;
      const urls = origin.urls("a", 64, 10_240);
      await hosts.want(urls, 1, 4);
      await hosts.uploaded();
      const count = quick ? 1000 : 20_000;
      await host?.ask("hits", urls, count / 4);
      const before = await ceph.requests();
      await fault?.(ceph);
      const ms = await host?.ask("hits", urls, count) ?? [];
      ceph.continue();
      const isDead = contender === DEAD;
      const measures: Record<string, number> = {
        p50: quantile(ms, 0.5) / 1000,
        p99: quantile(ms, 0.99) / 1000,
        // A killed engine has counted nothing since it was started again.
        ...(!isDead && { requests: await ceph.requests() - before }),
      };
      return { measures };
    },
  });
  return {
    id: "remote-hit",
    title: "10 KiB: a local hit, with its bytes",
    cells: [
      hits(OURS),
      hits(WELL),
      hits(DEAD, (ceph) => ceph.kill()),
      hits(HUNG, (ceph) => ceph.stop()),
    ],
    columns: [
      { measure: "p50", title: "half within", unit: "time" },
      { measure: "p99", title: "99 % within", unit: "time" },
      { measure: "requests", title: "requests", unit: "count" },
    ],
    targets: [],
    rounds: quick ? 1 : 5,
  };
}

/** Three processes that want the same URLs, most of them at the same time. */
function hostsRow({ engine, quick }: Bench): Row {
  const count = quick ? 12 : 40;
  const callers = quick ? 3 : 10;
  const fault = {
    [SHARING.killed]: {
      begin: (ceph: Ceph) => ceph.kill(),
      end: (ceph: Ceph) => ceph.restart(),
    },
    [SHARING.hung]: {
      begin: (ceph: Ceph) => ceph.stop(),
      end: (ceph: Ceph) => ceph.continue(),
    },
  } as const;
  const run = async (contender: string): Promise<Sample> => {
    const ceph = await engine.ready();
    await using origin = new MediaOrigin(300);
    const isLeased = contender.includes("lease");
    await using hosts = await HostProcesses.start({
      tier: contender.includes("bucket")
        ? { ...tierOf(ceph), lease: isLeased ? "bucket" : "off" }
        : undefined,
      oneDirectory: contender === SHARING.directory,
    });
    const outage = fault[contender as keyof typeof fault];
    const urls = origin.urls("a", count, BODY_BYTES);
    const wanting = hosts.want(urls, callers, 4);
    if (outage !== undefined) {
      await origin.asked(Math.floor(count / 3));
      await outage.begin(ceph);
    }
    const { latenciesMs, errors, digests } = await wanting;
    const wrong = urls.filter((url) =>
      digests[url]?.some((digest) => digest !== digestOf(url))
    );
    const measures: Record<string, number> = {
      p50: quantile(latenciesMs, 0.5) / 1000,
      p95: quantile(latenciesMs, 0.95) / 1000,
      downloads: origin.downloads(urls),
      failed: errors.length,
      wrong: wrong.length,
    };
    if (outage === undefined) return { measures };
    const until = (state: "up" | "down") =>
      Promise.all(
        hosts.all.map((host) =>
          host.ask("until", state, origin.url(state, 1000))
        ),
      );
    await until("down");
    await outage.end(ceph);
    const start = performance.now();
    await until("up");
    measures["back"] = (performance.now() - start) / 1000;
    return { measures };
  };
  const p95 = (contender: string) => [contender, "p95"] as const;
  const late = "95 % of callers have their bodies, engine";
  return {
    id: "remote-hosts",
    title:
      `${count} URLs of 300 KiB, ${callers} callers each in 3 processes, an origin of 300 ms`,
    cells: Object.values(SHARING).map((contender) => ({
      contender,
      run: () => run(contender),
    })),
    columns: [
      { measure: "p50", title: "half within", unit: "time" },
      { measure: "p95", title: "95 % within", unit: "time" },
      { measure: "downloads", title: "downloads", unit: "count" },
      { measure: "failed", title: "failed", unit: "count" },
      { measure: "wrong", title: "wrong", unit: "count" },
      { measure: "back", title: "shared again after", unit: "time" },
    ],
    targets: [
      atMost(
        200,
        "ms",
        `${late} killed, above a healthy engine`,
        p95(SHARING.killed),
        p95(SHARING.lease),
      ),
      atMost(
        1000,
        "ms",
        `${late} hung, above a healthy engine`,
        p95(SHARING.hung),
        p95(SHARING.lease),
      ),
      atMost(6000, "ms", "shared again after a killed engine is back", [
        SHARING.killed,
        "back",
      ]),
      atMost(6000, "ms", "shared again after a hung engine is back", [
        SHARING.hung,
        "back",
      ]),
    ],
    rounds: quick ? 1 : 3,
  };
}

/** One host stores a long body, and another reads it. */
function memoryRow({ engine, quick }: Bench): Row {
  const sizes = quick ? [16, 64] : [256, 1024];
  const nameOf = (mib: number) =>
    mib < 1024 ? `${mib} MiB` : `${mib / 1024} GiB`;
  const run = async (mib: number): Promise<Sample> => {
    const ceph = await engine.ready();
    await using origin = new MediaOrigin();
    await using hosts = await HostProcesses.start({
      count: 2,
      tier: { ...tierOf(ceph), maxEntryMb: 2048 },
      cache: { maxSizeMb: 4096 },
    });
    const [one, two] = hosts.all;
    const small = origin.url("small", 16 * MIB);
    for (const host of hosts.all) {
      await host.ask("download", small);
      await host.ask("upload");
    }
    const url = origin.url("large", mib * MIB);
    await one?.ask("download", url);
    const sent = performance.now();
    const up = await one?.ask("upload") ?? NaN;
    const read = performance.now();
    const found = await two?.ask("download", url);
    const end = performance.now();
    const isRight = found?.digest === digestOf(url) &&
      origin.downloads([url]) === 1;
    if (!isRight) throw new Error("The body has not come from the bucket");
    // Gives its room back: the engine keeps what is only forgotten.
    await two?.ask("delete", url);
    return {
      measures: {
        up,
        down: found?.growthBytes ?? NaN,
        "up-seconds": (read - sent) / 1000,
        "down-seconds": (end - read) / 1000,
      },
    };
  };
  return {
    id: "remote-memory",
    title: "Peak of resident memory while a body goes up and down",
    cells: sizes.map((mib) => ({
      contender: nameOf(mib),
      run: () => run(mib),
    })),
    columns: [
      { measure: "up", title: "growth up", unit: "bytes" },
      { measure: "down", title: "growth down", unit: "bytes" },
      { measure: "up-seconds", title: "time up", unit: "time" },
      { measure: "down-seconds", title: "time down, stored", unit: "time" },
    ],
    targets: sizes.map(nameOf).flatMap((size) => [
      atMost(96, "MiB", `memory for the upload of ${size}`, [size, "up"]),
      atMost(64, "MiB", `memory for a remote hit of ${size}`, [size, "down"]),
    ]),
    rounds: quick ? 1 : 3,
  };
}
