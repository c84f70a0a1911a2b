import { html } from "hono/html";
import { formatBytes, formatCount } from "../../core/text/quantities.ts";
import { isInlineSafe } from "../../core/text/mimetype.ts";
import type { DashboardView } from "./dashboard_view.ts";
import { timeMarkup } from "./event_markup.ts";
import { linkTo } from "./links.ts";
import type { Markup } from "./markup.ts";
import type { UsedEntry } from "../media/top_entries.ts";

/** The largest picture that is loaded for a thumbnail, in bytes. */
const MAX_PICTURE_BYTES = 2_097_152;

/**
 * The longest part of a URL that is shown, in characters; the entry's page
 * shows all of it.
 */
const MAX_URL_LENGTH = 1_000;

/**
 * Returns the section with the largest and the most used entries, or why they
 * are not shown.
 */
export function entriesSection({ top, stats }: DashboardView): Markup {
  return html`<section id="entries" data-live aria-labelledby="entries-heading">
  <h2 id="entries-heading">Entries</h2>
  ${
    top === undefined
      ? html`<p class="card empty">Names and media are shown to those who may see them: build
        the router with a token, or as trusted.</p>`
      : stats.entries === 0
      ? html`
        <p
          class="card empty">Nothing is stored yet. What the cache downloads will be listed
                here.</p>
      `
      : html`<div class="tables">${tableMarkup("Largest", top.largest)}${
        tableMarkup("Most used", top.mostUsed)
      }</div>`
  }
</section>`;
}

function tableMarkup(caption: string, entries: readonly UsedEntry[]): Markup {
  return html`
    <table class="card">
      <caption>${caption}</caption>
      <thead>
        <tr>
          <th scope="col">Entry</th>
          <th scope="col" class="number">Size</th>
          <th scope="col"
            class="number">Hits</th>
          <th scope="col" class="number">Last used</th>
        </tr>
      </thead>
      <tbody>${entries.map(rowMarkup)}</tbody>
    </table>
  `;
}

function rowMarkup({ entry, uses }: UsedEntry): Markup {
  const { key, url, filename, mimetype, size, lastAccess } = entry;
  const shortUrl = url.length > MAX_URL_LENGTH
    ? `${url.slice(0, MAX_URL_LENGTH).toWellFormed()}…`
    : url;
  return html`
    <tr>
      <th scope="row">
        <div
          class="entry">${thumbnail(entry)}<div><a href="${linkTo(
            `view/${key}`,
          )}">${filename}</a><span class="note">${mimetype}</span><span class="note url" title="${shortUrl}">${shortUrl}</span></div></div>
      </th>
      <td class="number">${formatBytes(size)}</td>
      <td class="number">${formatCount(uses)}</td>
      <td class="number">${timeMarkup(lastAccess, "date")}</td>
    </tr>
  `;
}

/**
 * Returns a picture where the type is safe and the file small. The name beside
 * it describes it.
 */
function thumbnail({ key, mimetype, size }: UsedEntry["entry"]): Markup {
  const [kind] = mimetype.split("/");
  const isSafe = isInlineSafe(mimetype);
  if (isSafe && kind === "image" && size <= MAX_PICTURE_BYTES) {
    return html`
      <img class="thumbnail" src="${linkTo(
        `preview/${key}`,
      )}" alt="" loading="lazy" width="48"
        height="48">
    `;
  }
  if (isSafe && kind === "video") {
    return html`
      <video class="thumbnail" src="${linkTo(
        `preview/${key}`,
      )}#t=0.1" preload="metadata" muted
        playsinline aria-hidden="true" tabindex="-1" width="48" height="48"></video>
    `;
  }
  return html`<span class="thumbnail" aria-hidden="true">${
    shortType(mimetype)
  }</span>`;
}

/**
 * Returns the type in a form that fits into a thumbnail: "mpeg", "json";
 * "audio" or "file" where that is too long.
 */
function shortType(mimetype: string): string {
  const [kind = "", subtype = ""] = mimetype.split("/");
  if (subtype.length <= 5) return subtype;
  return kind === "application" || kind.length > 5 ? "file" : kind;
}
