/**
 * A Hono app with the state and the media of a cache: numbers, metrics, health,
 * entries, media, and a dashboard. The manual, with all endpoints and metrics,
 * is `src/hono/README.md` of the package.
 *
 * @example Mount it
 * ```ts
 * import { MediaCache } from "@media-cache/media-cache";
 * import { statsRouter } from "@media-cache/media-cache/hono";
 * import { assertEquals } from "@std/assert";
 * import { Hono } from "hono";
 *
 * await using cache = await MediaCache.open({ cacheDir: await Deno.makeTempDir() });
 * const app = new Hono();
 * app.route("/cache", statsRouter(cache));
 *
 * const response = await app.request("/cache/stats");
 * assertEquals((await response.json()).media_cache.entries, 0);
 * ```
 *
 * @module
 */
import { type Context, Hono, type MiddlewareHandler } from "hono";
import { HTTPException } from "hono/http-exception";
import { CacheClosedError } from "../core/api/errors.ts";
import type { MediaCache } from "../core/media_cache.ts";
import { getDashboard, getSections } from "./dashboard/dashboard.ts";
import { getAsset } from "./dashboard/dashboard_assets.ts";
import { type DashboardView, viewOf } from "./sections/dashboard_view.ts";
import { getEntries } from "./media/entries_endpoint.ts";
import { guardOf, sameOriginGuard } from "./guard.ts";
import { followed } from "./sections/links.ts";
import { deleteMedia, getMedia, getPreview } from "./media/media_endpoint.ts";
import { monitorOf } from "./metrics/monitor.ts";
import { getHealth, getMetrics, getStats } from "./number_endpoints.ts";
import { resolveAccess, type StatsRouterOptions } from "./router_options.ts";
import { TopEntries } from "./media/top_entries.ts";
import { getView } from "./dashboard/viewer.ts";

export type { StatsRouterOptions } from "./router_options.ts";

/**
 * The result of {@linkcode statsRouter}: an app of `npm:hono`, which has a
 * `fetch` of its own.
 */
export type StatsRouter = Hono;

/**
 * Makes a router for a cache. The router starts no timer, and does not keep the
 * cache alive.
 *
 * Without options it serves numbers only: `/stats`, `/metrics`, `/healthz`, and
 * a dashboard without names. The other endpoints need a token, or an owner who
 * guards the mount.
 *
 * @param cache The cache; it may be closed later.
 * @param options Access to more than numbers.
 * @returns The router.
 * @throws {TypeError} If an option is of the wrong type, or both are given.
 * @throws {RangeError} If the token is empty or can't be sent, or `access` is
 * not known.
 *
 * @example Show everything to those who know a token
 * ```ts
 * import { MediaCache } from "@media-cache/media-cache";
 * import { statsRouter } from "@media-cache/media-cache/hono";
 * import { assertEquals } from "@std/assert";
 *
 * await using cache = await MediaCache.open({ cacheDir: await Deno.makeTempDir() });
 * const router = statsRouter(cache, { token: "long-and-random" });
 *
 * assertEquals((await router.request("/entries")).status, 401);
 * const headers = { Authorization: "Bearer long-and-random" };
 * assertEquals((await router.request("/entries", { headers })).status, 200);
 * ```
 */
export function statsRouter(
  cache: MediaCache,
  options: StatsRouterOptions = {},
): StatsRouter {
  const access = resolveAccess(options);
  const guard = guardOf(access);
  const monitor = monitorOf(cache);
  const top = access.kind === "numbers"
    ? undefined
    : new TopEntries(cache, monitor.uses);
  const router = new Hono();

  // Each route has a guard of its own: on a router mounted at "/", a guard for
  // all paths would also stand before other routes of the app.
  router.get("/healthz", (c) => getHealth(cache, c));
  const named = access.kind !== "numbers";
  router.get("/stats", guard, (c) => getStats(cache, named, c));
  router.get("/metrics", guard, (c) => getMetrics(cache, monitor, c));
  addDashboard(router, guard, () => viewOf(cache, monitor, top));
  if (access.kind !== "numbers") {
    router.get("/entries", guard, (c) => getEntries(cache, c));
    router.get("/media/:key", guard, (c) => getMedia(cache, c));
    router.get("/preview/:key", guard, (c) => getPreview(cache, c));
    const view = (c: Context) => getView(cache, c);
    router.get("/view/:key", follow(router), guard, view);
    router.delete(
      "/media/:key",
      guard,
      sameOriginGuard,
      (c) => deleteMedia(cache, c),
    );
  }

  router.onError((error, c) => {
    if (error instanceof HTTPException) return error.getResponse();
    if (error instanceof CacheClosedError) return c.text("Closed\n", 503);
    throw error; // handled by the app
  });
  return router;
}

function addDashboard(
  router: Hono,
  guard: MiddlewareHandler,
  look: () => Promise<DashboardView>,
): void {
  // The second path is that of the mount with a slash at its end.
  for (const path of ["/", "/:slash{$}"]) {
    router.get(path, follow(router), guard, async (c) => {
      return await getDashboard(await look(), c);
    });
  }
  router.get("/dashboard/sections", guard, async (c) => {
    return await getSections(await look(), c);
  });
  router.get("/dashboard/:asset", guard, getAsset);
}

/** Answers links of the dashboard by the routes of this router. */
function follow(router: Hono): MiddlewareHandler {
  return async function follow(c, next) {
    const request = followed(c.req.raw);
    if (request !== undefined) return await router.fetch(request);
    await next();
    return undefined;
  };
}
