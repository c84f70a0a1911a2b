import type { Context } from "hono";
import { accepts } from "hono/accepts";
import type { MediaCache } from "../core/media_cache.ts";
import { CONTENT_TYPES, expose } from "./metrics/exposition.ts";
import { metricFamilies } from "./metrics/metric_families.ts";
import type { Monitor } from "./metrics/monitor.ts";
import { statsJson } from "./stats_json.ts";

const OPENMETRICS = "application/openmetrics-text";

/** `GET /healthz`: whether entries can be stored. */
export async function getHealth(
  cache: MediaCache,
  c: Context,
): Promise<Response> {
  const reason = await cache.probe();
  c.header("Cache-Control", "no-store");
  return reason === undefined ? c.text("ok\n") : c.text(`${reason}\n`, 503);
}

/**
 * `GET /stats`: the numbers as JSON.
 *
 * @param named Whether names may be shown.
 */
export function getStats(
  cache: MediaCache,
  named: boolean,
  c: Context,
): Response {
  c.header("Cache-Control", "no-store");
  return c.json(statsJson(cache.stats(), named));
}

/**
 * `GET /metrics`: the numbers for Prometheus, as OpenMetrics where the client
 * asks for it.
 */
export function getMetrics(
  cache: MediaCache,
  monitor: Monitor,
  c: Context,
): Response {
  const type = accepts(c, {
    header: "Accept",
    supports: [OPENMETRICS, "text/plain"],
    default: "text/plain",
  });
  const format = type === OPENMETRICS ? "openmetrics" : "prometheus";
  const text = expose(metricFamilies(cache, monitor), format);
  return c.body(text, 200, {
    "Cache-Control": "no-store",
    "Content-Type": CONTENT_TYPES[format],
    "Vary": "Accept",
  });
}
