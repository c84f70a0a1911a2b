import type { Context } from "hono";
import { html } from "hono/html";
import { assetLink } from "./dashboard_assets.ts";
import type { DashboardView } from "./dashboard_view.ts";
import { chartsSection } from "./charts_section.ts";
import { downloadsSection } from "./downloads_section.ts";
import { entriesSection } from "./entries_section.ts";
import { eventsSection } from "./events_section.ts";
import { linkTo } from "./links.ts";
import type { Markup } from "./markup.ts";
import { overviewSection } from "./overview_section.ts";

// Nothing but what our own server sends, and nothing that is written into the page.
const POLICY = [
  "default-src 'none'",
  ...["style", "script", "img", "media", "connect"].map((kind) =>
    `${kind}-src 'self'`
  ),
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const HEADERS = {
  "Content-Security-Policy": POLICY,
  "Cache-Control": "no-store",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
};

/** `GET /`: the dashboard. */
export async function getDashboard(
  view: DashboardView,
  c: Context,
): Promise<Response> {
  return c.html(await pageMarkup(view), 200, HEADERS);
}

/** `GET /dashboard/sections`: what of it changes. */
export async function getSections(
  view: DashboardView,
  c: Context,
): Promise<Response> {
  return c.html(await sectionsMarkup(view), 200, HEADERS);
}

function sectionsMarkup(view: DashboardView): Markup {
  return html`${overviewSection(view)}
${chartsSection(view)}
${downloadsSection(view)}
${entriesSection(view)}
${eventsSection(view)}`;
}

function pageMarkup(view: DashboardView): Markup {
  const links = ["stats", "metrics", "healthz"];
  if (view.top !== undefined) links.push("entries");
  return html`
    <!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <title>Media cache</title>
        <link rel="icon" type="image/svg+xml" href="${assetLink("icon.svg")}">
        <link rel="stylesheet" href="${assetLink("style.css")}">
        <script src="${assetLink("script.js")}" defer></script>
      </head>
      <body>
        <header>
          <h1>Media cache</h1>
          <p class="status" id="live" role="status">As of ${new Date()
            .toISOString().slice(0, 19).replace("T", " ")} UTC</p>
          <button type="button" id="pause" hidden>Pause</button>
        </header>
        <main>
    ${sectionsMarkup(view)}
        </main>
        <footer>
          <nav aria-label="Data">
            <ul>${links.map((path) =>
              html`<li><a href="${linkTo(path)}">/${path}</a></li>`
            )}</ul>
          </nav>
        </footer>
      </body>
    </html>
  `;
}
