import { MediaCacheError } from "../core/api/errors.ts";
import { errorFacts } from "../core/text/failure_reason.ts";
import { ProtocolError } from "../http1/connection.ts";

/**
 * The end of a message of Deno's `fetch`: its start holds the URL, in which there is no
 * space. Deno 2.9 puts that message into the cause of a "fetch failed".
 */
const DETAIL_REGEXP =
  /^(?:error sending request .*?\): |Fetch failed: )(?<detail>.*)/s;

/** The end of a message of a system error, which Deno writes behind its words. */
const SYSTEM_REGEXP = /\(os error \d+\)$/;

/**
 * Makes the error of a request that has failed: a TypeError with the reason, which holds
 * no URL and no address. An error of the guard is returned as it is.
 */
export function failureAt(host: string, error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  if (error instanceof MediaCacheError) return error;
  if (/^Cannot /.test(error.message)) return error;
  const { code, name } = errorFacts(error);
  if (
    error instanceof Deno.errors.NotCapable ||
    detailOf(error)?.includes("Requires net access")
  ) {
    return new Deno.errors.NotCapable(
      `Cannot fetch from ${host}: --deny-net must not name its address: it does`,
    );
  }
  return codedError(
    `Cannot fetch from ${host}: ${detailOf(error) ?? code ?? name}`,
    code,
  );
}

/** Makes a TypeError as of `fetch`, with a code if there is one. */
export function codedError(
  message: string,
  code: string | undefined,
): TypeError {
  const error = new TypeError(message);
  const own = code ?? errorFacts(error).code;
  return own === undefined ? error : Object.assign(error, { code: own });
}

/** The words of an error that hold no URL, as far as its form is known. */
function detailOf(error: Error): string | undefined {
  const { cause, message } = error;
  const isPlain = error instanceof ProtocolError ||
    error instanceof Deno.errors.InvalidData ||
    error instanceof Deno.errors.UnexpectedEof || SYSTEM_REGEXP.test(message);
  if (isPlain) return message;
  const texts = [message, cause instanceof Error ? cause.message : ""];
  return texts.map((text) => DETAIL_REGEXP.exec(text)?.groups?.["detail"])
    .find((each) => each !== undefined);
}
