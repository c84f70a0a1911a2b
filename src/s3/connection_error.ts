import { errorFacts } from "../core/text/failure_reason.ts";
import { ProtocolError } from "../http1/connection.ts";

/**
 * Makes the error of a connection that failed: its code, without the address that messages
 * of `fetch` hold.
 *
 * @param error The failure; undefined where the store has closed the connection early.
 * @returns An error with the code as a member, where there is one.
 */
export function connectionError(error?: unknown): Error {
  const { name, code } = error === undefined
    ? { name: "Error", code: "ECONNRESET" }
    : errorFacts(error);
  const told = error instanceof ProtocolError && code === undefined
    ? error.message
    : `connection must last until the answer: received ${code ?? name}`;
  return Object.assign(
    new Error(`Cannot reach object store: ${told}`),
    code === undefined ? {} : { code },
  );
}

/**
 * Makes the error of a connection that was not made: where a permission is missing it says
 * which, else it is a {@linkcode connectionError}.
 *
 * @param error The failure.
 * @param url The address, of which host and port are told.
 */
export function unreachedError(error: unknown, url: URL): Error {
  if (!(error instanceof Deno.errors.NotCapable)) return connectionError(error);
  const { hostname, port, protocol } = url;
  const host = `${hostname}:${port || (protocol === "https:" ? 443 : 80)}`;
  return new Deno.errors.NotCapable(
    `Cannot reach object store: program must run with --allow-net=${host}: it does not`,
  );
}
