import { html } from "hono/html";
import type { DashboardView } from "./dashboard_view.ts";
import { eventMarkup } from "./event_markup.ts";
import type { Markup } from "./markup.ts";

/** Returns the section with the last events. */
export function eventsSection({ events, top }: DashboardView): Markup {
  return html`<section id="events" data-live aria-labelledby="events-heading">
  <h2 id="events-heading">Recent events</h2>
  ${
    events.length === 0
      ? html`<p class="card empty">Nothing has happened since the router was made.</p>`
      : html`<ol class="card events">${
        events.map((event) => eventMarkup(event, top !== undefined))
      }</ol>`
  }
</section>`;
}
