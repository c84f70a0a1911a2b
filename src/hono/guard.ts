import { timingSafeEqual } from "@std/crypto/timing-safe-equal";
import type { Context, MiddlewareHandler, Next } from "hono";
import { basicAuth } from "hono/basic-auth";
import { bearerAuth } from "hono/bearer-auth";
import { HTTPException } from "hono/http-exception";
import { keyOf } from "../core/text/key.ts";
import type { Access } from "./router_options.ts";

const REALM = "Media cache";

/** Returns the middleware that guards all routes but `/healthz`. */
export function guardOf(access: Access): MiddlewareHandler {
  return access.kind === "token" ? tokenGuard(access.token) : pass;
}

/**
 * Rejects requests from pages of another origin, with which the browser would
 * send a password. It guards the routes that change something.
 */
export async function sameOriginGuard(
  c: Context,
  next: Next,
): Promise<Response | void> {
  const origin = c.req.header("Origin");
  if (origin !== undefined && !isSameOrigin(origin, c)) {
    return c.text("The request comes from another origin\n", 403);
  }
  await next();
}

function isSameOrigin(origin: string, c: Context): boolean {
  const given = URL.parse(origin);
  if (given === null) return false;
  // Compares the hosts alone: behind a proxy that ends TLS the scheme differs.
  const host = c.req.header("Host") ?? new URL(c.req.url).host;
  return URL.parse(`${given.protocol}//${host}`)?.host === given.host;
}

/**
 * Accepts Bearer, for programs, and Basic, for people. The challenge offers
 * both.
 */
function tokenGuard(token: string): MiddlewareHandler {
  const expected = digestOf(token);
  const isToken = (given: string) => timingSafeEqual(digestOf(given), expected);
  const bearer: MiddlewareHandler = bearerAuth({
    verifyToken: isToken,
    realm: REALM,
  });
  const basic: MiddlewareHandler = basicAuth({
    verifyUser: (_user, password) => isToken(password),
    realm: REALM,
  });
  return async function tokenGuard(c, next) {
    const isBearer = /^bearer /i.test(c.req.header("Authorization") ?? "");
    let isIn = false;
    const enter = () => {
      isIn = true;
      return Promise.resolve();
    };
    try {
      await (isBearer ? bearer : basic)(c, enter);
    } catch (error) {
      if (!(error instanceof HTTPException)) throw error;
    }
    if (!isIn) return unauthorized();
    await next();
    return undefined;
  };
}

function unauthorized(): Response {
  const headers = new Headers({ "Cache-Control": "no-store" });
  headers.append("WWW-Authenticate", `Basic realm="${REALM}", charset="UTF-8"`);
  headers.append("WWW-Authenticate", `Bearer realm="${REALM}"`);
  return new Response("Unauthorized\n", { status: 401, headers });
}

/**
 * Has the same length for all tokens, as the comparison in constant time
 * requires.
 */
function digestOf(text: string): Uint8Array {
  return new TextEncoder().encode(keyOf(text));
}

async function pass(_c: Context, next: Next): Promise<void> {
  await next();
}
