/** The tier of a bucket alone, on a real object store. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { createHash } from "node:crypto";
import { HttpStatusError, type RemoteEntry } from "../../mod.ts";
import { s3Tier, type S3TierOptions } from "../../src/s3/s3.ts";
import { pattern, readAll } from "../fixtures/bodies/bytes.ts";
import { CephProcess } from "../fixtures/remote/ceph_process.ts";

let ceph: CephProcess;
Deno.test.beforeAll(async () => {
  ceph = await CephProcess.start();
});
Deno.test.afterAll(async () => {
  await ceph[Symbol.asyncDispose]();
});

const KEY = "ab".repeat(32);
const { signal } = new AbortController();

/** Options of a tier with a prefix of its own. */
function options(): S3TierOptions {
  const prefix = `${crypto.randomUUID()}/`;
  return { ...ceph.access, prefix, lease: "bucket" };
}

/** An entry of these bytes with a name that headers can't carry as it is. */
function entryOf(bytes: Uint8Array): RemoteEntry {
  return {
    mimetype: "video/mp4",
    filename: "кот 🐱 & co 100% +.mp4",
    size: bytes.length,
    sha256: createHash("sha256").update(bytes).digest("hex"),
    storedAt: 1_790_000_000_000,
    sourceMimetype: "image/gif",
    sourceSize: 123_456,
  };
}

function put(bytes: Uint8Array<ArrayBuffer>, replaces = false) {
  const open = () => new Blob([bytes]).stream();
  return { entry: entryOf(bytes), open, replaces };
}

for (const size of [0, 1, 100_000, 9_000_000]) {
  Deno.test(`an object of ${size} bytes comes back with its facts, and is gone when deleted`, async () => {
    const tier = s3Tier(options());
    const bytes = pattern(size);
    assertEquals(await tier.get(KEY, signal), undefined);
    assertEquals(await tier.has(KEY, signal), false);

    await tier.put(KEY, put(bytes), signal);

    assertEquals(await tier.has(KEY, signal), true);
    const object = await tier.get(KEY, signal);
    assert(object !== undefined);
    const { conversion, ...facts } = object.entry;
    assertEquals([facts, conversion], [entryOf(bytes), undefined]);
    const body = object.body as ReadableStream<Uint8Array<ArrayBuffer>>;
    assertEquals(await readAll(body), bytes);
    await tier.delete(KEY, signal);
    assertEquals(await tier.get(KEY, signal), undefined);
    await tier.delete(KEY, signal);
    await tier.close?.();
  });
}

Deno.test("the engine refuses other bytes than those of the digest", async () => {
  const tier = s3Tier(options());
  const right = put(pattern(1000));
  const wrong = { ...right, open: () => new Blob([pattern(1000, 2)]).stream() };

  const error = await assertRejects(
    () => tier.put(KEY, wrong, signal),
    HttpStatusError,
  );

  assertEquals(error.status, 400);
  assertEquals(await tier.has(KEY, signal), false);
  await tier.close?.();
});

Deno.test("the probe proves the lease, and names wrong credentials and a missing bucket", async () => {
  const right = options();
  const { accessKeyId } = ceph.access.credentials;
  const credentials = { accessKeyId, secretAccessKey: "wrong" };
  const probe = async (options: S3TierOptions) => {
    const tier = s3Tier(options);
    const found = await tier.probe(signal);
    await tier.close?.();
    return found;
  };

  assertEquals(await probe(right), { reachable: true, lease: true });
  const refused = await probe({ ...right, credentials });
  assertEquals([refused.reachable, refused.lease], [false, false]);
  assert(refused.reason?.includes("403"), refused.reason);
  const missing = await probe({ ...right, bucket: "missing" });
  assertEquals([missing.reachable, missing.lease], [false, false]);
  assert(missing.reason?.includes("404"), missing.reason);
});

Deno.test("of several hosts that ask at once one gets the lease", async () => {
  const own = options();
  const tiers = Array.from({ length: 8 }, () => s3Tier(own));

  const leases = await Promise.all(
    tiers.map((tier) => tier.lease?.(KEY, 60_000, signal)),
  );

  const holders = leases.filter((lease) => lease?.held);
  const waiting = leases.filter((lease) => lease?.held === false);
  assertEquals([holders.length, waiting.length], [1, 7]);
  for (const { leftMs } of waiting) {
    assert(leftMs > 0 && leftMs <= 60_000, `${leftMs} ms`);
  }
  for (const tier of tiers) await tier.close?.();
});

Deno.test("hosts are told which keys others have deleted and replaced", async () => {
  const own = options();
  const [one, two] = [s3Tier(own), s3Tier(own)];
  const other = "cd".repeat(32);
  const first = await two.changes?.(undefined, signal);
  assertEquals(first?.changes, []);

  await one.put(KEY, put(pattern(1000)), signal);
  await one.put(KEY, put(pattern(1001), true), signal);
  await one.delete(other, signal);

  const seen = await two.changes?.(first?.next, signal);
  const keys = new Set(seen?.changes.map(({ key }) => key));
  assertEquals([...keys].sort(), [KEY, other]);
  for (const { ageMs } of seen?.changes ?? []) assert(ageMs < 60_000);
  assertEquals((await one.changes?.(undefined, signal))?.changes, []);
  for (const tier of [one, two]) await tier.close?.();
});
