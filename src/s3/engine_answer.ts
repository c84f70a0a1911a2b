import { HttpStatusError } from "../core/api/errors.ts";
import { parseHttpDate, parseRetryAfter } from "../core/text/http_date.ts";

/** The longest start of an error's body that is read, in bytes. */
const MAX_ERROR_BYTES = 8192;

const CODE_REGEXP = /<Code>([A-Za-z0-9]{1,64})<\/Code>/;

/** Codes whose cause a person can mend, and what the person has to know. */
const EXPLAINED: Readonly<Record<string, string>> = {
  RequestTimeTooSkewed: "clock of this host must be right to 15 minutes",
  SignatureDoesNotMatch:
    "secretAccessKey and region must be those of the bucket",
  InvalidAccessKeyId: "accessKeyId must be known to the object store",
  ExpiredToken: "credentials must not have expired",
  AccessDenied: "credentials must allow to list, read, write and delete",
  NoSuchBucket: "bucket must exist",
  PermanentRedirect: "endpoint and region must be those of the bucket",
  AuthorizationHeaderMalformed: "region must be that of the bucket",
};

/** Why an object store has refused a request: its status and its code. */
export class EngineRefusal extends Error {
  /** The `Code` of the answer, such as `NoSuchBucket`; "" where it has none. */
  readonly code: string;

  /** Creates the reason; neither part holds a name or a secret. */
  constructor(status: number, code: string) {
    const wanted = EXPLAINED[code] ?? "request must be answered";
    const found = code === "" ? `HTTP ${status}` : `HTTP ${status} ${code}`;
    super(`Cannot use object store: ${wanted}: received ${found}`);
    this.name = "EngineRefusal";
    this.code = code;
  }
}

/**
 * Makes the error of an answer that is a refusal, and reads or cancels its body.
 *
 * @param response The answer.
 * @returns An `HttpStatusError`, whose cause is an {@linkcode EngineRefusal}.
 */
export async function refusalOf(response: Response): Promise<HttpStatusError> {
  const { status, headers } = response;
  return new HttpStatusError(status, {
    retryAfterMs: parseRetryAfter(headers.get("retry-after")),
    cause: new EngineRefusal(status, await codeOf(response)),
  });
}

/** The code of a refusal, "" where it has none. */
export function codeOfError(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof EngineRefusal ? cause.code : "";
}

/** When the answer was sent by the clock of the store, in milliseconds since the epoch. */
export function serverTimeOf({ headers }: Response): number {
  return parseHttpDate(headers.get("date") ?? "") ?? Date.now();
}

/**
 * Reads the start of a body as text. What comes after that is cancelled.
 *
 * @param maxBytes The most bytes that are read, and a chunk.
 */
export async function startOf(
  { body }: Response,
  maxBytes: number,
): Promise<{ text: string; isWhole: boolean }> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  if (body === null) return { text, isWhole: true };
  for await (const chunk of body) {
    bytes += chunk.length;
    text += decoder.decode(chunk, { stream: true });
    if (bytes > maxBytes) return { text, isWhole: false };
  }
  return { text: text + decoder.decode(), isWhole: true };
}

async function codeOf(response: Response): Promise<string> {
  try {
    const { text } = await startOf(response, MAX_ERROR_BYTES);
    return CODE_REGEXP.exec(text)?.[1] ?? "";
  } catch {
    return ""; // The connection broke; the status tells enough.
  }
}
