import { errorFacts } from "../core/text/failure_reason.ts";

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
  return Object.assign(
    new Error(
      `Cannot reach object store: connection must last until the answer: received ${
        code ?? name
      }`,
    ),
    code === undefined ? {} : { code },
  );
}
