import type { Context } from "hono";
import { html } from "hono/html";
import { assetLink } from "./dashboard_assets.ts";
import type { Markup } from "../sections/markup.ts";

// Allows files of this origin, and nothing that is written into the page.
const POLICY = [
  "default-src 'none'",
  ...["style", "script", "img", "media", "connect"].map((kind) =>
    `${kind}-src 'self'`
  ),
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** Answers with a page of the router. */
export async function answerHtml(
  c: Context,
  markup: Markup,
): Promise<Response> {
  return c.html(await markup, 200, {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
  });
}

/** Puts the content of a page into its frame. */
export function pageMarkup(
  title: string,
  script: Markup | "",
  body: Markup,
): Markup {
  return html`
    <!doctype html>
    <html lang="en">
      <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>${title}</title>
    <link rel="icon" type="image/svg+xml" href="${assetLink("icon.svg")}">
    <link rel="stylesheet" href="${assetLink("style.css")}">
    ${script}
      </head>
      <body>
    ${body}
      </body>
    </html>
  `;
}
