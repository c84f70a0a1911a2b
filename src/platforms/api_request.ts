import { HttpStatusError, MediaCacheError } from "../core/api/errors.ts";
import { OptionCheck } from "../core/api/option_check.ts";
import { errorFacts } from "../core/text/failure_reason.ts";
import { parseRetryAfter } from "../core/text/http_date.ts";

/** A token that a header and a URL can carry. */
const TOKEN_REGEXP = /^[\x21-\x7e]+$/;

/** The longest answer that is read, in bytes. Of 50 links of Discord it has some 30,000. */
const MAX_ANSWER_BYTES = 1_000_000;

/** The longest part of the words of an API that a message shows, in UTF-16 code units. */
const MAX_WORDS_LENGTH = 200;

/** A platform's API, with the token of a bot. */
export interface PlatformApi {
  /** The platform's name, for messages. */
  readonly platform: string;
  /** The address before all methods, without a slash at its end. */
  readonly root: string;
  /** The token of the bot. */
  readonly token: string;
}

/**
 * Checks the arguments that lead to an API.
 *
 * @param defaultRoot The address where the options name none.
 * @throws {TypeError} If an option is unknown: a bot with a misspelt `apiRoot` would give its
 * token to another server. Or if the token or the address has another form. The message
 * holds neither.
 */
export function platformApi(
  platform: string,
  token: unknown,
  options: { readonly apiRoot?: string | undefined },
  defaultRoot: string,
): PlatformApi {
  const check = new OptionCheck(`use ${platform}`);
  check.object("options", options);
  const { apiRoot = defaultRoot, ...others } = options;
  check.nothingLeft(others);
  if (typeof token !== "string" || !TOKEN_REGEXP.test(token)) {
    throw new TypeError(
      `Cannot use ${platform}: token must be ASCII without spaces, and without a word before it: received ${
        token === ""
          ? "an empty string"
          : typeof token === "string"
          ? "a string with other characters"
          : typeof token
      }`,
    );
  }
  const url = typeof apiRoot === "string" ? URL.parse(apiRoot) : null;
  if (url?.protocol !== "https:" && url?.protocol !== "http:") {
    throw new TypeError(
      `Cannot use ${platform}: apiRoot must be an http or https URL: received ${
        typeof apiRoot === "string" ? "another string" : typeof apiRoot
      }`,
    );
  }
  return { platform, token, root: apiRoot.replace(/\/+$/, "") };
}

/**
 * Fetches a URL that may hold a token. The error of a connection that fails tells its
 * code, and not the URL, as that of `fetch` would.
 *
 * @throws {TypeError} If no answer comes.
 * @throws The reason of the signal.
 */
export async function fetchSecretly(
  { platform }: PlatformApi,
  url: string,
  init: RequestInit & { signal: AbortSignal },
): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (error) {
    init.signal.throwIfAborted();
    const { code, name } = errorFacts(error);
    const { host } = new URL(url);
    const reason = name === "NotCapable"
      ? `missing --allow-net=${host}`
      : `${host} did not answer: ${code ?? name}`;
    throw Object.assign(new TypeError(`Cannot ask ${platform}: ${reason}`), {
      code,
    });
  }
}

/**
 * Calls a method of an API that answers with JSON.
 *
 * @throws {HttpStatusError} If the status is not 200; its cause says what the API says.
 * @throws {MediaCacheError} If the answer is no JSON, or too long.
 * @throws {TypeError} If no answer comes.
 */
export async function askApi(
  api: PlatformApi,
  url: string,
  init: RequestInit & { signal: AbortSignal },
): Promise<unknown> {
  const response = await fetchSecretly(api, url, init);
  const { status, headers } = response;
  let answer: unknown;
  try {
    answer = await readJson(response);
  } catch {
    init.signal.throwIfAborted();
    if (status === 200) {
      throw new MediaCacheError(
        `Cannot ask ${api.platform}: the answer must be JSON of at most 1 MB: received another text`,
      );
    }
  }
  if (status === 200) return answer;
  const retryAfterMs = parseRetryAfter(headers.get("retry-after")) ??
    retryAfterOf(answer);
  const cause = new MediaCacheError(
    `Cannot ask ${api.platform}: status must be 200: received ${status}${
      sayingOf(answer, api)
    }`,
  );
  throw new HttpStatusError(status, { retryAfterMs, cause });
}

/** Reads an answer; a server that ends none must not fill the memory. */
async function readJson({ body }: Response): Promise<unknown> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  for await (const chunk of body ?? []) {
    length += chunk.byteLength;
    if (length > MAX_ANSWER_BYTES) {
      throw new RangeError("Cannot read an answer: it is too long");
    }
    chunks.push(chunk);
  }
  return JSON.parse(await new Blob(chunks).text());
}

/** The words of the API, as the end of a message: those of Telegram or Discord. */
function sayingOf(answer: unknown, { token }: PlatformApi): string {
  const words = member(answer, "description") ?? member(answer, "message");
  return typeof words !== "string" || words.includes(token)
    ? ""
    : `, ${JSON.stringify(words.slice(0, MAX_WORDS_LENGTH))}`;
}

/** The wish to wait in the body of an answer, which Telegram and Discord give in seconds. */
function retryAfterOf(answer: unknown): number | undefined {
  const seconds = member(answer, "retry_after") ??
    member(member(answer, "parameters"), "retry_after");
  return typeof seconds === "number" && seconds >= 0
    ? seconds * 1000
    : undefined;
}

/** A member of a value of JSON; undefined where there is none. */
export function member(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null
    ? Reflect.get(value, name)
    : undefined;
}
