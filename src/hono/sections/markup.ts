import type { html } from "hono/html";

/** Escaped HTML, as Hono's `html` makes it. */
export type Markup = ReturnType<typeof html>;
