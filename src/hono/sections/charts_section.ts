import { html } from "hono/html";
import { formatBytes, formatCount } from "../../core/text/quantities.ts";
import { chartMarkup } from "./chart.ts";
import type { DashboardView } from "./dashboard_view.ts";
import type { Markup } from "./markup.ts";

/** Returns the section with the numbers over time. */
export function chartsSection({ timeline, limits }: DashboardView): Markup {
  const hits = timeline.growth("hits");
  const misses = timeline.growth("misses");
  const downloaded = timeline.growth("bytesDownloaded");
  const served = timeline.growth("bytesServed");
  const disk = timeline.levels("totalBytes");
  const memory = timeline.levels("memoryBytes");
  const rates = hits.map((each, i) => {
    const lookups = each + (misses[i] ?? 0);
    return lookups === 0 ? undefined : each / lookups * 100;
  });
  const lookups = sum(hits) + sum(misses);
  const minutes = timeline.spanMs / 60_000;
  const span = minutes === 60 ? "hour" : `${minutes} minutes`;
  const since = `${minutes} min ago`;
  return html`<section id="charts" data-live aria-labelledby="charts-heading">
  <h2 id="charts-heading">The last ${span}</h2>
  <div class="charts">
  ${
    chartMarkup({
      title: "Lookups",
      summary: `${counted(sum(hits), "hit", "hits")} and ${
        counted(sum(misses), "miss", "misses")
      }`,
      shape: "bars",
      series: [
        { name: "Hits", values: hits },
        { name: "Misses", values: misses },
      ],
      format: formatCount,
      since,
    })
  }
  ${
    chartMarkup({
      title: "Hit rate",
      summary: lookups === 0
        ? "no lookups"
        : `${(sum(hits) / lookups * 100).toFixed(1)} % of ${
          formatCount(lookups)
        } lookups`,
      shape: "level",
      series: [{ name: "Hit rate", values: rates }],
      max: 100,
      format: (value) => `${value.toFixed(0)} %`,
      since,
    })
  }
  ${
    chartMarkup({
      title: "Traffic",
      summary: `${formatBytes(sum(served))} served, ${
        formatBytes(sum(downloaded))
      } downloaded`,
      shape: "bars",
      series: [
        { name: "Served", values: served },
        { name: "Downloaded", values: downloaded },
      ],
      format: formatBytes,
      since,
    })
  }
  ${
    chartMarkup({
      title: "Space",
      summary: `${formatBytes(disk.at(-1) ?? 0)} of ${
        formatBytes(limits.maxBytes)
      } on disk, ${formatBytes(memory.at(-1) ?? 0)} in memory`,
      shape: "level",
      series: [
        { name: "Disk", values: disk },
        { name: "Memory", values: memory },
      ],
      format: formatBytes,
      since,
    })
  }
  </div>
</section>`;
}

function counted(count: number, one: string, many: string): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
