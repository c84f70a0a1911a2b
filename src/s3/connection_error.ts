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
