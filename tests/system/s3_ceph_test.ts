/** Long metadata, long listings, refusals, aborts and kills of a real object store. */
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
} from "@std/assert";
import { HttpStatusError, type RemoteTier } from "../../mod.ts";
import { s3Tier, type S3TierOptions } from "../../src/s3/s3.ts";
import { Ceph } from "../fixtures/remote/ceph.ts";
import {
  remoteEntry,
  remoteKey,
  remotePut,
} from "../fixtures/remote/entries.ts";

const KEY = remoteKey("cat");
const CAT = new TextEncoder().encode("a picture of a cat");

const never = new AbortController().signal;

/** The code that a refusal was told by. */
function codeOf(error: HttpStatusError): string {
  assertInstanceOf(error.cause, Error);
  return (error.cause as Error & { code: string }).code;
}

Deno.test("the tier on Ceph", async (t) => {
  await using ceph = await Ceph.start();
  const { endpoint, bucket, credentials } = ceph;
  const tiers: RemoteTier[] = [];
  /** Another host, whose tier is closed at the end. */
  const host = (options: Partial<S3TierOptions> = {}) => {
    const tier = s3Tier({ endpoint, bucket, credentials, ...options });
    tiers.push(tier);
    return tier;
  };

  await t.step("metadata of the longest facts are kept", async () => {
    const put = remotePut(CAT, {
      filename: "🐱".repeat(63),
      mimetype: `image/${"x".repeat(120)}; a=${"y".repeat(200)}`,
      sourceMimetype: `image/${"x".repeat(120)}; a=${"y".repeat(200)}`,
      conversion: "z".repeat(256),
    });
    const tier = host();
    await tier.put(KEY, put, never);

    const object = await tier.get(KEY, never);
    await object?.body.cancel();

    assertEquals(object?.entry, put.entry);
  });

  await t.step("wrong keys and a bucket that is missing are told", async () => {
    const refusals = [
      [{ accessKeyId: "nobody" }, {}, 403, "InvalidAccessKeyId"],
      [{ secretAccessKey: "wrong" }, {}, 403, "SignatureDoesNotMatch"],
      [{}, { bucket: "missing" }, 404, "NoSuchBucket"],
    ] as const;
    for (const [keys, options, status, code] of refusals) {
      const tier = host({
        ...options,
        credentials: { ...credentials, ...keys },
      });
      const error = await assertRejects(
        () => tier.get(KEY, never),
        HttpStatusError,
      );
      assertEquals([error.status, codeOf(error)], [status, code]);
      const { reachable, reason } = await tier.probe(never);
      assertEquals(reachable, false);
      assert(reason?.endsWith(`HTTP ${status} ${code}`), reason);
    }
  });

  await t.step(
    "changes are told to other hosts, over several pages",
    async () => {
      const prefix = "changes-of-many/";
      const [here, there] = [host({ prefix }), host({ prefix })];
      const keys = Array.from(
        { length: 1100 },
        (_, each) => remoteKey(`${each}`),
      );
      for (let at = 0; at < keys.length; at += 50) {
        await Promise.all(
          keys.slice(at, at + 50).map((key) => here.delete(key, never)),
        );
      }
      await here.put(KEY, remotePut(CAT, { replaces: true }), never);

      const { changes, next } = await there.changes!(undefined, never);

      const told = new Set(changes.map(({ key }) => key));
      assertEquals(told, new Set([...keys, KEY]));
      for (const { ageMs } of changes) assert(ageMs < 120_000, `${ageMs}`);
      assertEquals((await here.changes!(undefined, never)).changes, []);
      const later = await there.changes!(next, never);
      assert(later.changes.length <= changes.length);
    },
  );

  await t.step("an upload and a body can be aborted", async () => {
    const tier = host();
    const bytes = new Uint8Array(50_000_000);
    const controller = new AbortController();
    let taken = 0;
    const put = {
      entry: remoteEntry(bytes),
      open: () =>
        new ReadableStream<Uint8Array>({
          pull(body) {
            if (++taken === 3) controller.abort(new Error("enough"));
            body.enqueue(bytes.subarray(0, 65_536));
          },
        }, { highWaterMark: 0 }),
      replaces: false,
    };
    await assertRejects(
      () => tier.put(KEY, put, controller.signal),
      Error,
      "enough",
    );

    await tier.put(KEY, remotePut(bytes), never);
    const reading = new AbortController();
    const object = await tier.get(KEY, reading.signal);
    const reader = object!.body.getReader();
    await reader.read();
    reading.abort(new Error("enough"));
    await assertRejects(
      async () => {
        while (!(await reader.read()).done);
      },
      Error,
      "enough",
    );
  });

  await t.step(
    "a store that was killed is told by a code, and found again",
    async () => {
      const tier = host();
      await ceph.kill();
      await assertRejects(() => tier.get(KEY, never), Error, "Cannot reach");
      await ceph.restart();

      assertEquals(await tier.has(KEY, never), true);
    },
  );

  for (const tier of tiers) await tier.close?.();
});
