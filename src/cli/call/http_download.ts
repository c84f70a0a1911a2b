import type { DownloadContext } from "../../core/api/download.ts";
import { HttpStatusError } from "../../core/api/errors.ts";
import { errorFacts } from "../../core/text/failure_reason.ts";
import { reasonOf } from "./failures.ts";

/** The downloader of the command line: fetches http and https URLs, and never prompts. */
export async function downloadOverHttp(
  { url, signal, headers }: DownloadContext,
): Promise<Response> {
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) {
    throw new TypeError("not an http or https URL");
  }
  const { host } = new URL(url);
  // Queried without a prompt, which progress bars would hide.
  if (Deno.permissions.querySync({ name: "net", host }).state !== "granted") {
    throw new Error(`missing --allow-net=${host}`);
  }
  return await fetch(url, { signal, headers });
}

/** Tells why a download has failed, without a URL. */
export function describeFailure(error: unknown): string {
  if (error instanceof HttpStatusError) return `HTTP ${error.status}`;
  const message = reasonOf(error);
  // The message of `fetch()` only says that it failed; the code says why.
  const { code } = errorFacts(error);
  return code === undefined ? message : `${message}: ${code}`;
}
