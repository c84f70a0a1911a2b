import type { RemoteProbe } from "../core/api/remote_tier.ts";
import { HttpStatusError } from "../core/api/errors.ts";
import { refusalOf } from "./engine_answer.ts";
import type { ObjectKeys } from "./object_keys.ts";
import type { BucketRequest, S3Client } from "./s3_client.ts";

/**
 * Writers that try to create one object at the same time. Two in turn prove little: stores
 * were seen that pass such a test, and let 7 of 20 parallel writers win.
 */
const WRITERS = 8;

/** Statuses by which a store refuses to create an object that is there. */
const REFUSALS: ReadonlySet<number> = new Set([409, 412]);

/** Statuses by which a busy store refuses any request. R2 takes one write a second of an object. */
const BUSY: ReadonlySet<number> = new Set([429, 503]);

/**
 * Finds out whether a bucket can be listed and written, and whether exactly one of several
 * writers can create an object, as a lease needs it.
 *
 * @param isReadOnly Whether writing is not tried; leases are then not proven.
 * @returns The findings. Rejects only when the signal aborts.
 */
export async function probeBucket(
  client: S3Client,
  keys: ObjectKeys,
  isReadOnly: boolean,
  signal: AbortSignal,
): Promise<RemoteProbe> {
  try {
    await expectOk(client, {
      method: "GET",
      name: "",
      query: { "list-type": "2", "max-keys": "1", prefix: keys.changes },
    }, signal);
    if (isReadOnly) {
      return {
        reachable: true,
        lease: false,
        reason: "the tier is only read, and a lease is written",
      };
    }
    return await proveLease(client, keys, signal);
  } catch (error) {
    signal.throwIfAborted();
    return { reachable: false, lease: false, reason: reasonOf(error) };
  }
}

async function proveLease(
  client: S3Client,
  keys: ObjectKeys,
  signal: AbortSignal,
): Promise<RemoteProbe> {
  const name = keys.probe(crypto.randomUUID());
  try {
    const statuses = await Promise.all(
      Array.from({ length: WRITERS }, () => create(client, name, signal)),
    );
    const won = statuses.filter((each) => each >= 200 && each < 300).length;
    if (won === 0) {
      await expectOk(client, { method: "PUT", name }, signal);
    }
    const reason = doubtOf(statuses, won);
    if (reason === undefined) return { reachable: true, lease: true };
    // A store that was busy, or has failed for some of the writers, has told nothing of its
    // leases: the next download asks again.
    const isMute = (status: number) =>
      BUSY.has(status) || won === 1 && isFault(status);
    const reachable = won > 1 || !statuses.some(isMute);
    return { reachable, lease: false, reason };
  } finally {
    await client.request({ method: "DELETE", name }, signal)
      .then((answer) => client.drop(answer), () => {});
  }
}

/** Why leases can't be relied on; undefined where they can. */
function doubtOf(statuses: readonly number[], won: number): string | undefined {
  const others = statuses.filter((each) => each < 200 || each > 299);
  const strange = others.find((each) => !REFUSALS.has(each) && !BUSY.has(each));
  if (won > 1) {
    return `${won} of ${WRITERS} writers have created one object: the store ignores If-None-Match`;
  }
  if (strange !== undefined) {
    return `the store answers ${strange} to a PUT with If-None-Match`;
  }
  if (others.every((each) => BUSY.has(each))) {
    return "the store was too busy to prove it";
  }
  return won === 0
    ? `none of ${WRITERS} writers could create an object`
    : undefined;
}

/** Whether a store has failed. 501 is an answer to the condition. */
function isFault(status: number): boolean {
  return status >= 500 && status !== 501;
}

async function create(
  client: S3Client,
  name: string,
  signal: AbortSignal,
): Promise<number> {
  const headers = { "if-none-match": "*" };
  const answer = await client.request({ method: "PUT", name, headers }, signal);
  client.drop(answer);
  return answer.status;
}

async function expectOk(
  client: S3Client,
  request: BucketRequest,
  signal: AbortSignal,
): Promise<void> {
  const answer = await client.request(request, signal);
  if (!answer.ok) throw await refusalOf(answer);
  client.drop(answer);
}

/** The message without its start; messages of the tier hold no address and no secret. */
function reasonOf(error: unknown): string {
  const told = error instanceof HttpStatusError ? error.cause : error;
  return told instanceof Error
    ? told.message.replace(/^Cannot \w+ object store: /, "")
    : "the store can't be asked";
}
