import { assertEquals } from "@std/assert";
import { expose } from "../../src/hono/metrics/exposition.ts";
import { Histogram } from "../../src/hono/metrics/histogram.ts";

Deno.test("expose() escapes labels and help texts, so that none ends its line or its quotes", () => {
  const evil = 'a"}\n# evil 1\n\\';
  const histogram = new Histogram([1]);
  histogram.observe(0.5);

  const text = expose([
    {
      name: "x",
      help: `One.\n${evil}`,
      type: "gauge",
      series: [{ label: ["host", evil], value: 1 }],
    },
    {
      name: "y",
      help: "Two.",
      type: "histogram",
      series: [{ label: ["host", evil], value: histogram }],
    },
  ], "openmetrics");

  const label = 'host="a\\"}\\n# evil 1\\n\\\\"';
  assertEquals(text.split("\n"), [
    '# HELP media_cache_x One.\\na"}\\n# evil 1\\n\\\\',
    "# TYPE media_cache_x gauge",
    `media_cache_x{${label}} 1`,
    "# HELP media_cache_y Two.",
    "# TYPE media_cache_y histogram",
    `media_cache_y_bucket{${label},le="1.0"} 1`,
    `media_cache_y_bucket{${label},le="+Inf"} 1`,
    `media_cache_y_count{${label}} 1`,
    `media_cache_y_sum{${label}} 0.5`,
    "# EOF",
    "",
  ]);
});
