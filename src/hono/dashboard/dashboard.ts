import type { Context } from "hono";
import { html } from "hono/html";
import { chartsSection } from "../sections/charts_section.ts";
import { assetLink } from "./dashboard_assets.ts";
import type { DashboardView } from "../sections/dashboard_view.ts";
import { downloadsSection } from "../sections/downloads_section.ts";
import { entriesSection } from "../sections/entries_section.ts";
import { eventsSection } from "../sections/events_section.ts";
import { linkTo } from "../sections/links.ts";
import type { Markup } from "../sections/markup.ts";
import { remoteSection } from "../sections/remote_section.ts";
import { overviewSection } from "../sections/overview_section.ts";
import { answerHtml, pageMarkup } from "./page.ts";

/** `GET /`: the dashboard. */
export async function getDashboard(
  view: DashboardView,
  c: Context,
): Promise<Response> {
  const script = html`<script src="${assetLink("script.js")}" defer></script>`;
  const page = pageMarkup("Media cache", script, dashboardMarkup(view));
  return await answerHtml(c, page);
}

/** `GET /dashboard/sections`: the sections that change over time. */
export async function getSections(
  view: DashboardView,
  c: Context,
): Promise<Response> {
  return await answerHtml(c, sectionsMarkup(view));
}

function sectionsMarkup(view: DashboardView): Markup {
  return html`${overviewSection(view)}
${remoteSection(view)}
${chartsSection(view)}
${downloadsSection(view)}
${entriesSection(view)}
${eventsSection(view)}`;
}

function dashboardMarkup(view: DashboardView): Markup {
  const links = ["stats", "metrics", "healthz"];
  if (view.top !== undefined) links.push("entries");
  const now = new Date().toISOString().slice(0, 19).replace("T", " ");
  return html`
    <header>
      <h1>Media cache</h1>
      <p class="status" id="live" role="status">As of ${now} UTC</p>
      <button type="button" id="pause" hidden>Pause</button>
    </header>
    <main>${sectionsMarkup(view)}</main>
    <footer>
      <nav aria-label="Data">
        <ul>${links.map((path) =>
          html`<li><a href="${linkTo(path)}">/${path}</a></li>`
        )}</ul>
      </nav>
    </footer>
  `;
}
