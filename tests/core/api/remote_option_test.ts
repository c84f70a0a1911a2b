import { assertEquals, assertThrows } from "@std/assert";
import { MediaCache, type RemoteTier } from "../../../mod.ts";
import { OptionCheck } from "../../../src/core/api/option_check.ts";
import { resolveRemote } from "../../../src/core/api/remote_option.ts";
import { StandInTier } from "../../fixtures/remote/stand_in_tier.ts";

const check = new OptionCheck("open cache");

Deno.test("a tier without limits has the defaults", () => {
  const { limits } = resolveRemote(check, new StandInTier()) ?? {};

  assertEquals(limits, {
    lookupTimeoutMs: 800,
    idleTimeoutMs: 5_000,
    uploadTimeoutMs: 60_000,
    maxConcurrentLookups: 8,
    maxConcurrentUploads: 2,
    maxQueuedUploads: 256,
    maxEntryBytes: 268_435_456,
    leaseTtlMs: 15_000,
    leaseWaitMs: 20_000,
    changesEveryMs: 30_000,
    readOnly: false,
  });
});

Deno.test("a limit that is undefined has its default", () => {
  const tier = new StandInTier({ limits: { lookupTimeoutMs: undefined } });

  assertEquals(resolveRemote(check, tier)?.limits.lookupTimeoutMs, 800);
});

Deno.test("no tier is no tier", () => {
  assertEquals(resolveRemote(check, undefined), undefined);
});

for (
  const [limits, message] of [
    [{ lookupTimeoutMs: 0 }, "remote.limits.lookupTimeoutMs"],
    [{ idleTimeoutMs: Infinity }, "remote.limits.idleTimeoutMs"],
    [{ uploadTimeoutMs: NaN }, "remote.limits.uploadTimeoutMs"],
    [{ maxConcurrentLookups: 0 }, "remote.limits.maxConcurrentLookups"],
    [{ maxConcurrentUploads: 1.5 }, "remote.limits.maxConcurrentUploads"],
    [{ maxQueuedUploads: -1 }, "remote.limits.maxQueuedUploads"],
    [{ maxEntryMb: -1 }, "remote.limits.maxEntryMb"],
    [{ changesEveryMs: 2 ** 31 }, "remote.limits.changesEveryMs"],
  ] as const
) {
  Deno.test(`a limit out of range is named: ${message}`, () => {
    const remote = new StandInTier({ limits });

    assertThrows(() => new MediaCache({ remote }), RangeError, message);
  });
}

Deno.test("a tier that lacks a method, or has other things in their place, is refused", () => {
  const whole: RemoteTier = new StandInTier();
  for (
    const [tier, message] of [
      [null, "remote must be a RemoteTier"],
      ["s3", "remote must be a RemoteTier"],
      [{}, "remote.name"],
      [{ name: "a" }, "remote.get"],
      [{ ...methods(whole), put: undefined }, "remote.put"],
      [{ ...methods(whole), lease: 1 }, "remote.lease"],
      [{ ...methods(whole), limits: 1 }, "remote.limits"],
      [{ ...methods(whole), limits: { lookup: 1 } }, '"lookup"'],
      [{ ...methods(whole), limits: { readOnly: 1 } }, "readOnly"],
    ] as const
  ) {
    const remote = tier as unknown as RemoteTier;

    assertThrows(() => new MediaCache({ remote }), TypeError, message);
  }
});

function methods({ name, get, has, put, delete: remove, probe }: RemoteTier) {
  return { name, get, has, put, delete: remove, probe };
}
