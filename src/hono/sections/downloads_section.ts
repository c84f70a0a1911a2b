import { html } from "hono/html";
import { formatBytes } from "../../core/text/quantities.ts";
import type { DownloadInfo } from "../../core/api/download.ts";
import type { DashboardView } from "./dashboard_view.ts";
import type { Markup } from "./markup.ts";

const MAX_SHOWN = 20;

const PHASES: Readonly<Record<DownloadInfo["phase"], string>> = {
  waiting: "waiting for its turn",
  downloading: "downloading",
  converting: "converting to MP4",
  storing: "storing",
};

/** Returns the section with the running downloads. */
export function downloadsSection({ downloads, top }: DashboardView): Markup {
  const shown = downloads.slice(0, MAX_SHOWN);
  const more = downloads.length - shown.length;
  return html`<section id="downloads" data-live aria-labelledby="downloads-heading">
  <h2 id="downloads-heading">Downloads in flight</h2>
  ${
    shown.length === 0
      ? html`<p class="card empty">No download is running.</p>`
      : html`<ol class="card downloads">${
        shown.map((download, i) =>
          downloadMarkup(
            download,
            top && download.filename || `Download ${i + 1}`,
          )
        )
      }</ol>`
  }
  ${more > 0 ? html`<p>and ${more} more</p>` : ""}
</section>`;
}

function downloadMarkup(download: DownloadInfo, name: string): Markup {
  const { received, total, phase } = download;
  const progress = total === undefined
    ? `${formatBytes(received)} of an unknown length`
    : `${formatBytes(received)} of ${formatBytes(total)}`;
  // A bar without a value shows work without a known end.
  const bar = phase === "downloading" && total !== undefined
    ? html`
      <progress aria-label="${name}" max="${Math.max(total, 1)}"
        value="${received}"></progress>
    `
    : html`<progress aria-label="${name}"></progress>`;
  return html`<li><span class="name">${name}</span> ${bar}
    <span class="note">${PHASES[phase]}, ${progress}</span></li>`;
}
