import { assert, assertEquals } from "@std/assert";
import { setImmediate } from "node:timers/promises";
import type { Download, Media, MediaCache } from "../../mod.ts";
import type { Random } from "../fixtures/inputs/random.ts";
import { assertSame, Planned } from "./bodies.ts";

/** What a caller does with the Media that it gets. */
export type Behaviour =
  | "read"
  | "slice"
  | "wait"
  | "cancel"
  | "cancel unread"
  | "dispose"
  | "abort";

/** The callers that leave before the end. */
export const LEAVING: readonly Behaviour[] = [
  "cancel",
  "cancel unread",
  "dispose",
  "abort",
];

/** A download to make. */
export interface DownloadPlan {
  /** The bytes sent, up to the failure. */
  bytes: Uint8Array<ArrayBuffer>;
  /** The bytes that readers must get, if any. */
  result: Uint8Array<ArrayBuffer>;
  /** The length that the downloader states. */
  declared: number | undefined;
  /**
   * The number of bytes after which the source fails; -1 if it does not answer
   * at all.
   */
  failsAt: number | undefined;
  /**
   * Whether more than the first bytes may come before the callers have theirs.
   */
  isHeld: boolean;
  /** The form of the answer. */
  form: "stream" | "response" | "bytes";
  /** The action of each caller. */
  callers: readonly Behaviour[];
  /** Whether the readers see an error. */
  isBroken: boolean;
  /** Whether the body is stored in the end; undefined where that depends on time. */
  isStored: boolean | undefined;
}

/** The bytes that come before a body is held. */
const HEAD_BYTES = 16;

/**
 * Runs one download, and lets its callers use it.
 *
 * @param onPull Called when the source is asked for more.
 * @param whileHeld Runs while the body is held.
 */
export async function play(
  cache: MediaCache,
  url: string,
  plan: DownloadPlan,
  random: Random,
  onPull: () => void,
  whileHeld: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const gate = Promise.withResolvers<void>();
  if (!plan.isHeld) gate.resolve();
  const downloader = async () => {
    await setImmediate();
    if (plan.failsAt === -1) throw new Planned();
    return answer(plan, sourceOf(plan, random, gate.promise, onPull));
  };
  const callers = plan.callers.map((behaviour) => ({
    behaviour,
    controller: new AbortController(),
  }));
  const calls = await Promise.allSettled(
    callers.map(({ controller: { signal } }) =>
      cache.getOrDownload(url, downloader, { signal })
    ),
  );
  const acts = callers.map(async ({ behaviour, controller }, i) => {
    const call = calls[i];
    if (call?.status !== "fulfilled") {
      assert(plan.isBroken, `${call?.reason}`);
      return;
    }
    const media = call.value;
    if (LEAVING.includes(behaviour)) {
      return await leave(media, behaviour, controller);
    }
    return await read(media, behaviour, plan);
  });
  // Callers that leave have left by now, as long as no turn has passed.
  for (let i = 0; i < 10; i++) await Promise.resolve();
  if (plan.isHeld) await setImmediate();
  await whileHeld();
  gate.resolve();
  await Promise.all(acts);
  for (const call of calls) {
    if (call.status !== "fulfilled") continue;
    const isStored = await call.value.stored;
    assertEquals(isStored, plan.isStored ?? isStored, "stored");
    await call.value[Symbol.asyncDispose]();
  }
}

async function leave(
  media: Media,
  behaviour: Behaviour,
  controller: AbortController,
): Promise<void> {
  switch (behaviour) {
    case "cancel": {
      const reader = media.body.getReader();
      await reader.read().catch(() => {});
      return await reader.cancel().catch(() => {});
    }
    case "cancel unread":
      return await media.body.cancel();
    case "dispose":
      return await media[Symbol.asyncDispose]();
    default:
      controller.abort(new Planned());
  }
}

async function read(
  media: Media,
  behaviour: Behaviour,
  { result, isBroken }: DownloadPlan,
): Promise<void> {
  if (behaviour === "wait") await media.stored;
  try {
    assertSame(await bytesOf(media, behaviour, result.length), result);
  } catch (error) {
    if (!isBroken) throw error;
    return;
  }
  assert(!isBroken, "A broken download ended as if it were whole");
}

async function bytesOf(
  media: Media,
  behaviour: Behaviour,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  if (behaviour !== "slice") return await media.bytes();
  const middle = Math.floor(length / 3);
  const slices = [media.slice(middle), media.slice(0, middle)];
  const [end, start] = await Promise.all(
    slices.map((slice) => new Response(slice).bytes()),
  );
  await media[Symbol.asyncDispose]();
  return await new Blob([start ?? new Uint8Array(), end ?? new Uint8Array()])
    .bytes();
}

function answer(
  { form, bytes, declared }: DownloadPlan,
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
): Response | Download {
  const size = declared === undefined ? {} : { size: declared };
  const mimetype = "application/x-test";
  if (form === "bytes") return { data: bytes, mimetype, ...size };
  if (form === "stream") return { data: stream, mimetype, ...size };
  const headers = new Headers({ "Content-Type": mimetype });
  if (declared !== undefined) headers.set("Content-Length", `${declared}`);
  return new Response(stream, { headers });
}

function sourceOf(
  { bytes, failsAt = Infinity }: DownloadPlan,
  random: Random,
  gate: Promise<void>,
  onPull: () => void,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const end = Math.min(bytes.length, failsAt);
  const step = Math.max(1, Math.ceil(end / random.integer(1, 6)));
  let position = 0;
  let isCancelled = false;
  return new ReadableStream({
    async pull(controller) {
      onPull();
      if (position > 0) await gate;
      if (isCancelled) return;
      if (position === end) {
        if (failsAt === Infinity) controller.close();
        else controller.error(new Planned());
        return;
      }
      const start = position;
      position = Math.min(end, start + (start === 0 ? HEAD_BYTES : step));
      controller.enqueue(bytes.slice(start, position));
    },
    cancel() {
      isCancelled = true;
    },
  }, { highWaterMark: 0 });
}
