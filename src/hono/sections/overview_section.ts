import { html } from "hono/html";
import { formatBytes, formatCount } from "../../core/text/quantities.ts";
import { costOf } from "../../core/text/refusable.ts";
import type { DashboardView } from "./dashboard_view.ts";
import type { FailureCount } from "../metrics/failure_counts.ts";
import type { Markup } from "./markup.ts";

/** The most reasons of failures that are shown. */
const MAX_REASONS = 3;

/** Returns the section with the most important numbers. */
export function overviewSection(view: DashboardView): Markup {
  const { stats, limits, fault, failures } = view;
  const lookups = stats.hits + stats.misses;
  return html`<section id="overview" data-live aria-labelledby="overview-heading">
  <h2 id="overview-heading">Now</h2>
  ${faultMarkup(fault, limits.readOnly)}
  ${stats.degraded.map(degradedMarkup)}
  <dl class="tiles">
  ${
    tile(
      "Hit rate",
      lookups === 0 ? "–" : `${(stats.hitRate * 100).toFixed(1)} %`,
      lookups === 0
        ? "no lookup yet"
        : `${formatCount(stats.hits)} of ${formatCount(lookups)} lookups`,
    )
  }
  ${
    tile(
      "On disk",
      formatBytes(stats.totalBytes),
      html`${gauge("Disk used", stats.totalBytes, limits.maxBytes)} of ${
        formatBytes(limits.maxBytes)
      }, ${entries(stats.entries)}; all files take about ${
        formatBytes(stats.occupiedBytes)
      }${
        limits.maxDiskBytes === Infinity
          ? ""
          : ` of ${formatBytes(limits.maxDiskBytes)}`
      }`,
    )
  }
  ${
    tile(
      "In memory",
      formatBytes(stats.memoryBytes),
      html`${
        gauge("Memory used", stats.memoryBytes, limits.maxMemoryBytes)
      } of ${formatBytes(limits.maxMemoryBytes)}, ${
        entries(stats.entriesInMemory)
      }`,
    )
  }
  ${
    tile(
      "Downloads running",
      formatCount(stats.inFlight),
      `${formatBytes(stats.stagedBytes)} staged, ${
        formatCount(stats.coalesced)
      } joined so far`,
    )
  }
  ${
    tile(
      "Served",
      formatBytes(stats.bytesServed),
      `from ${formatBytes(stats.bytesDownloaded)} downloaded`,
    )
  }
  ${
    tile(
      "GIFs converted",
      formatCount(stats.conversions),
      stats.conversionFailures === 0
        ? "none kept as it was"
        : `${formatCount(stats.conversionFailures)} could not be`,
    )
  }
  ${tile("Evicted", formatCount(stats.evictions), "to make room")}
  ${
    tile(
      "Downloads failed",
      formatCount(stats.failures),
      reasonsOf(failures) || "none",
    )
  }
  ${
    tile(
      "Types told by bytes",
      formatCount(stats.sniffed),
      `${formatCount(stats.unacceptable)} calls refused for the type`,
    )
  }
  ${
    tile(
      "Uploads saved",
      formatCount(stats.handleHits),
      `${formatCount(stats.uploads)} media uploaded`,
    )
  }
  ${
    tile(
      "Confirmed by origins",
      formatCount(stats.revalidated),
      `${formatCount(stats.stale)} calls answered by older bytes`,
    )
  }
  ${
    tile(
      "Links replaced",
      formatCount(stats.failedOver + stats.refreshed),
      `${formatCount(stats.failedOver)} by those of other callers, ${
        formatCount(stats.refreshed)
      } by new ones`,
    )
  }
  ${
    tile(
      "Downloads saved",
      formatCount(stats.resumed + stats.retried),
      `${formatCount(stats.resumed)} went on after a break, ${
        formatCount(stats.retried)
      } tried again; ${
        formatCount(stats.failuresRemembered)
      } calls failed without a request, ${
        formatCount(stats.addressesRefused)
      } for a refused address`,
    )
  }
  ${
    tile(
      "Disk errors",
      formatCount(stats.diskErrors),
      stats.diskErrors === 0 ? "none" : "see the events below",
      stats.diskErrors > 0,
    )
  }
  </dl>
</section>`;
}

function faultMarkup(
  fault: string | undefined,
  readOnly: boolean,
): Markup | "" {
  if (fault !== undefined) {
    return html`
      <p class="alert"
        role="alert"><strong>Nothing can be stored:</strong> ${fault}.</p>
    `;
  }
  return readOnly
    ? html`<p class="notice">This cache is read-only: nothing is stored or evicted.</p>`
    : "";
}

function degradedMarkup(operation: string): Markup {
  return html`
    <p
      class="notice"><strong>The file system refuses ${operation}:</strong> ${costOf(
        operation,
      )}.</p>
  `;
}

/** A number with its name and a note. */
export function tile(
  name: string,
  value: string,
  note: string | Markup,
  isBad = false,
): Markup {
  return html`
    <div class="card tile${isBad ? " bad" : ""}">
      <dt>${name}</dt>
      <dd class="value">${value}</dd>
      <dd class="note">${note}</dd>
    </div>
  `;
}

function gauge(label: string, value: number, max: number): Markup {
  return html`
    <meter aria-label="${label}" min="0" max="${Math.max(max, 1)}"
      value="${value}"></meter>
  `;
}

/**
 * Returns the most frequent reasons, such as "ECONNREFUSED × 3, HTTP 404 × 1,
 * and 2 others".
 */
function reasonsOf(failures: readonly FailureCount[]): string {
  const sorted = failures.toSorted((a, b) => b.count - a.count);
  const shown = sorted.slice(0, MAX_REASONS);
  const others = sorted.slice(MAX_REASONS);
  const more = others.reduce((sum, { count }) => sum + count, 0);
  return [
    ...shown.map(({ reason, count }) => `${reason} × ${formatCount(count)}`),
    ...(more > 0 ? [`and ${formatCount(more)} others`] : []),
  ].join(", ");
}

function entries(count: number): string {
  return count === 1 ? "1 entry" : `${formatCount(count)} entries`;
}
