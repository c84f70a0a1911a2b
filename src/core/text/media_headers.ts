import { formatContentDisposition } from "./content_disposition.ts";
import { isInlineSafe, OCTET_STREAM } from "./mimetype.ts";
import type { Validators } from "./validators.ts";

/** Facts of a body that its headers tell. */
export interface MediaDescription {
  /** Media type; undefined while a download does not know it. */
  readonly mimetype: string | undefined;
  /** File name; undefined while a download does not know it. */
  readonly filename: string | undefined;
  /** ETag and date of the body; undefined while a download runs. */
  readonly validators: Validators | undefined;
}

/**
 * Returns the headers of a response to GET or HEAD, for the whole body or a
 * part. Bodies are untrusted: types that can carry script are offered as a
 * download of type application/octet-stream, and only the others are shown
 * inline.
 *
 * Names are in lower case, as `Headers` makes them: a server sends those of a
 * record as they are. `Response` takes a record in half the time of `Headers`.
 */
export function mediaHeaders(
  { mimetype, filename, validators }: MediaDescription,
): Record<string, string> {
  const headers = bodilessHeaders(validators);
  headers["accept-ranges"] = "bytes";
  if (mimetype !== undefined) {
    const inline = isInlineSafe(mimetype);
    headers["content-type"] = inline ? mimetype : OCTET_STREAM;
    headers["content-disposition"] = formatContentDisposition(
      inline ? "inline" : "attachment",
      filename ?? "attachment",
    );
  }
  return headers;
}

/**
 * Returns the headers of a response without the body: 304, 405, 412 or 416. They
 * tell the version of the body, but not its type (RFC 9110 §15.4.5). The
 * policies protect a browser that shows such a response.
 */
export function bodilessHeaders(
  validators: Validators | undefined,
): Record<string, string> {
  const headers: Record<string, string> = {
    // The Date that Deno adds lags by up to a second, and Last-Modified must
    // not be later than Date (RFC 9110 §8.8.2.1).
    "date": new Date().toUTCString(),
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
    "cross-origin-resource-policy": "same-origin",
    // An entry may be replaced, so browsers must ask before they reuse a copy.
    "cache-control": "private, no-cache",
  };
  if (validators !== undefined) {
    headers["etag"] = validators.etag;
    const { lastModified } = validators;
    if (lastModified !== undefined) headers["last-modified"] = lastModified;
  }
  return headers;
}
