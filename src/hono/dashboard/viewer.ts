import type { Context } from "hono";
import { html } from "hono/html";
import { formatBytes } from "../../core/text/quantities.ts";
import type { EntryInfo } from "../../core/api/entry_info.ts";
import type { MediaCache } from "../../core/media_cache.ts";
import { isInlineSafe } from "../../core/text/mimetype.ts";
import { timeMarkup } from "../sections/event_markup.ts";
import { linkTo } from "../sections/links.ts";
import type { Markup } from "../sections/markup.ts";
import { answerHtml, pageMarkup } from "./page.ts";

/**
 * `GET /view/:key`: a page with one entry. A browser does not play a film at
 * the address of its bytes, because these are sandboxed.
 */
export async function getView(
  cache: MediaCache,
  c: Context,
): Promise<Response> {
  const entry = await cache.infoByKey(c.req.param("key") ?? "");
  if (entry === undefined) return await c.notFound();
  const places = await cache.placesByKey(entry.key);
  const page = pageMarkup(entry.filename, "", viewMarkup(entry, places));
  return await answerHtml(c, page);
}

function viewMarkup(entry: EntryInfo, places: readonly string[]): Markup {
  const { key, url, filename, mimetype, size, storedAt, lastAccess } = entry;
  return html`
    <header>
      <h1>${filename}</h1>
    </header>
    <main>
      <figure class="card viewer">${mediaMarkup(entry)}</figure>
      <dl class="card facts">
        <dt>Type</dt>
        <dd>${mimetype}</dd>
        <dt>Size</dt>
        <dd>${formatBytes(size)}</dd>
        <dt>Stored</dt>
        <dd>${timeMarkup(storedAt, "date")}</dd>
        <dt>Last used</dt>
        <dd>${timeMarkup(lastAccess, "date")}</dd>
        ${places.length === 0 ? "" : html`<dt>Uploaded to</dt>
        ${places.map((place) => html`<dd>${place}</dd>`)}`}
        <dt>URL</dt>
        <dd>${url}</dd>
        <dt>Key</dt>
        <dd>${key}</dd>
      </dl>
    </main>
    <footer>
      <nav aria-label="Entry">
        <ul>
          <li><a href="${linkTo("")}">Dashboard</a></li>
          <li><a href="${linkTo(
            `media/${key}`,
          )}" download="${filename}">Download</a></li>
        </ul>
      </nav>
    </footer>
  `;
}

function mediaMarkup({ key, filename, mimetype }: EntryInfo): Markup {
  const source = linkTo(`preview/${key}`);
  const kind = isInlineSafe(mimetype) ? mimetype.split("/")[0] : undefined;
  switch (kind) {
    case "image":
      return html`<img src="${source}" alt="${filename}">`;
    case "video":
      return html`
        <video src="${source}" controls preload="metadata"
          aria-label="${filename}"></video>
      `;
    case "audio":
      return html`
        <audio src="${source}" controls preload="metadata"
          aria-label="${filename}"></audio>
      `;
    default:
      return html`
        <p
          class="empty">Files of this type are not shown, since they could run scripts.</p>
      `;
  }
}
