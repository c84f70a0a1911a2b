import type { Context } from "hono";
import { keyOf } from "../../core/text/key.ts";
import { SCRIPT } from "./dashboard_script.ts";
import { STYLE } from "./dashboard_style.ts";
import { linkTo } from "../sections/links.ts";

const ICON =
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#0a66c2"/><path d="M8 22V10h4l4 6 4-6h4v12h-4v-6l-4 6-4-6v6z" fill="#fff"/></svg>`;

type AssetName = "style.css" | "script.js" | "icon.svg";

const ASSETS: Record<AssetName, { type: string; text: string }> = {
  "style.css": { type: "text/css; charset=utf-8", text: STYLE },
  "script.js": { type: "text/javascript; charset=utf-8", text: SCRIPT },
  "icon.svg": { type: "image/svg+xml", text: ICON },
};

/**
 * Returns a link to a file of the page, which changes with the file's content.
 */
export function assetLink(name: AssetName): string {
  const version = keyOf(ASSETS[name].text).slice(0, 8);
  return `${linkTo(`dashboard/${name}`)}&v=${version}`;
}

/** `GET /dashboard/:asset`: the script and the style of the page. */
export async function getAsset(c: Context): Promise<Response> {
  const name = c.req.param("asset") ?? "";
  const asset = Object.entries(ASSETS).find(([each]) => each === name)?.[1];
  if (asset === undefined) return await c.notFound();
  return c.body(asset.text, 200, {
    "Content-Type": asset.type,
    "Cache-Control": "private, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
  });
}
