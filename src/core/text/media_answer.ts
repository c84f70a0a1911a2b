import { type ByteRange, parseRange } from "./byte_range.ts";
import {
  bodilessHeaders,
  type MediaDescription,
  mediaHeaders,
} from "./media_headers.ts";
import { ifRangeHolds, preconditionOf } from "./validators.ts";

/** The parts of a request that decide about its answer. */
export type MediaRequest = Pick<Request, "method" | "headers">;

/** Facts of a body to be sent. */
export interface AnsweredMedia extends MediaDescription {
  /** Bytes of the body; undefined while a download does not know them. */
  readonly size: number | undefined;
}

/** An answer to a request for a body, without the bytes. */
export interface MediaAnswer {
  /** The status. */
  readonly status: 200 | 206 | 304 | 405 | 412 | 416;
  /** The headers, with names in lower case. */
  readonly headers: Record<string, string>;
  /** The bytes to send; undefined for an answer without a body. */
  readonly range: ByteRange | "whole" | undefined;
}

/**
 * Decides what to answer to a request for a body: GET and HEAD with conditions
 * (RFC 9110 §13.2.2), and GET with a range (§14.2). A body of unknown length is sent
 * whole. Other methods get 405.
 */
export function answerTo(
  { method, headers }: MediaRequest,
  media: AnsweredMedia,
): MediaAnswer {
  const { validators, size } = media;
  const isHead = method === "HEAD";
  if (!isHead && method !== "GET") {
    const headers = { ...bodilessHeaders(undefined), allow: "GET, HEAD" };
    return { status: 405, headers, range: undefined };
  }
  const unmet = preconditionOf(headers, validators, true);
  if (unmet !== undefined) {
    const headers = bodilessHeaders(validators);
    return { status: unmet, headers, range: undefined };
  }
  const isRanged = !isHead && size !== undefined &&
    ifRangeHolds(headers.get("If-Range") ?? undefined, validators);
  const range = isRanged
    ? parseRange(headers.get("Range") ?? undefined, size)
    : "whole";
  if (range === "unsatisfiable") {
    const headers = bodilessHeaders(validators);
    headers["accept-ranges"] = "bytes";
    headers["content-range"] = `bytes */${size}`;
    return { status: 416, headers, range: undefined };
  }
  const sent = mediaHeaders(media);
  if (range !== "whole") {
    const { start, end } = range;
    sent["content-range"] = `bytes ${start}-${end - 1}/${size}`;
    sent["content-length"] = String(end - start);
    return { status: 206, headers: sent, range };
  }
  if (size !== undefined) sent["content-length"] = String(size);
  return { status: 200, headers: sent, range: isHead ? undefined : "whole" };
}
