import { formatContentDisposition } from "./content_disposition.ts";
import { isInlineSafe, OCTET_STREAM } from "./mimetype.ts";
import type { Validators } from "./validators.ts";

/** What is told of a body. */
export interface MediaDescription {
  /** Media type; undefined while it is uncertain. */
  readonly mimetype: string | undefined;
  /** File name; undefined while it is uncertain. */
  readonly filename: string | undefined;
  /** What tells its version; undefined for a download that still runs. */
  readonly validators: Validators | undefined;
}

/**
 * The headers of an answer that has the body, or a part of it, or that a HEAD asks
 * for. The body came from anywhere, so it is shown in place only where its type
 * can't carry script; anything else is offered as a file of no type.
 */
export function mediaHeaders(
  { mimetype, filename, validators }: MediaDescription,
): Headers {
  const headers = bodilessHeaders(validators);
  headers.set("Accept-Ranges", "bytes");
  if (mimetype !== undefined) {
    const inline = isInlineSafe(mimetype);
    headers.set("Content-Type", inline ? mimetype : OCTET_STREAM);
    const type = inline ? "inline" : "attachment";
    headers.set(
      "Content-Disposition",
      formatContentDisposition(type, filename ?? "attachment"),
    );
  }
  return headers;
}

/**
 * The headers of an answer about a body that is not in it: 304, 412 and 416. They
 * tell its version, but not what the body is (RFC 9110 §15.4.5). The policies
 * hold also where a browser is led to show the answer.
 */
export function bodilessHeaders(validators: Validators | undefined): Headers {
  const headers = new Headers({
    // The one that Deno adds lags by up to a second, and no Last-Modified may lie
    // after it (RFC 9110 §8.8.2.1).
    "Date": new Date().toUTCString(),
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    // An entry may be replaced, so a copy is good only after it was asked for.
    "Cache-Control": "private, no-cache",
  });
  if (validators !== undefined) {
    headers.set("ETag", validators.etag);
    const { lastModified } = validators;
    if (lastModified !== undefined) headers.set("Last-Modified", lastModified);
  }
  return headers;
}
