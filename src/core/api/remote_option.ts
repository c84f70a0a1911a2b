import { OptionCheck } from "./option_check.ts";
import type { RemoteLimits, RemoteTier } from "./remote_tier.ts";

/** The limits that the cache keeps when it calls a remote tier, checked and complete. */
export interface ResolvedRemoteLimits {
  /** Longest time until an object is found or known to be missing. */
  lookupTimeoutMs: number;
  /** Longest pause between two bytes of an object. */
  idleTimeoutMs: number;
  /** Longest time of an upload. */
  uploadTimeoutMs: number;
  /** The most requests at a time, beside uploads and bodies. */
  maxConcurrentLookups: number;
  /** The most uploads at a time. */
  maxConcurrentUploads: number;
  /** The most uploads that wait. */
  maxQueuedUploads: number;
  /** Cap of an uploaded body, in bytes. */
  maxEntryBytes: number;
  /** How long a lease lasts. */
  leaseTtlMs: number;
  /** Longest wait for the download of another host. */
  leaseWaitMs: number;
  /** Time between two looks for changes by other hosts. */
  changesEveryMs: number;
  /** Whether the tier is only read. */
  readOnly: boolean;
}

/** The option `remote`, checked and complete. */
export interface ResolvedRemote {
  /** The tier. */
  readonly tier: RemoteTier;
  /** Its limits. */
  readonly limits: ResolvedRemoteLimits;
}

const MB = 1_048_576;

/** The longest wait of `setTimeout()`: with a longer one it would fire at once. */
const MAX_WAIT_MS = 2 ** 31 - 1;

/** The methods that every tier has. */
const METHODS = ["get", "has", "put", "delete", "probe"] as const;

/** The methods that a tier may lack. */
const OPTIONAL_METHODS = ["lease", "changes", "close"] as const;

/**
 * Checks the option `remote`, and fills in the default limits.
 *
 * @param check Makes the errors of the cache's options.
 * @throws {TypeError} If the tier lacks a method, or a limit has the wrong type.
 * @throws {RangeError} If a limit is out of range.
 */
export function resolveRemote(
  check: OptionCheck,
  tier: RemoteTier | undefined,
): ResolvedRemote | undefined {
  if (tier === undefined) return undefined;
  check.object("remote", tier, "a RemoteTier");
  const tierCheck = new OptionCheck("open cache", "remote");
  tierCheck.value("name", tier.name ?? null, "string");
  for (const method of METHODS) {
    tierCheck.value(method, tier[method] ?? null, "function");
  }
  for (const method of OPTIONAL_METHODS) {
    tierCheck.value(method, tier[method], "function");
  }
  const { limits = {} } = tier;
  tierCheck.object("limits", limits);
  return { tier, limits: resolveLimits(limits) };
}

function resolveLimits(limits: RemoteLimits): ResolvedRemoteLimits {
  const {
    lookupTimeoutMs = 800,
    idleTimeoutMs = 5_000,
    uploadTimeoutMs = 60_000,
    maxConcurrentLookups = 8,
    maxConcurrentUploads = 2,
    maxQueuedUploads = 256,
    maxEntryMb = 256,
    leaseTtlMs = 15_000,
    leaseWaitMs = 20_000,
    changesEveryMs = 30_000,
    readOnly = false,
    ...others
  } = limits;
  const check = new OptionCheck("open cache", "remote.limits");
  check.nothingLeft(others);
  const time = (name: string, value: number) => {
    const wanted = `a number above 0 and of at most ${MAX_WAIT_MS}`;
    const isRight = (ms: number) => ms > 0 && ms <= MAX_WAIT_MS;
    return check.value(name, value, "number", wanted, isRight);
  };
  const count = (name: string, value: number, min: number) => {
    const wanted = `an integer of at least ${min}`;
    const isRight = (n: number) =>
      n >= min && (Number.isInteger(n) || n === Infinity);
    return check.value(name, value, "number", wanted, isRight);
  };
  const wantedMb = "a number of at least 0";
  check.value("maxEntryMb", maxEntryMb, "number", wantedMb, (mb) => mb >= 0);
  return {
    lookupTimeoutMs: time("lookupTimeoutMs", lookupTimeoutMs),
    idleTimeoutMs: time("idleTimeoutMs", idleTimeoutMs),
    uploadTimeoutMs: time("uploadTimeoutMs", uploadTimeoutMs),
    maxConcurrentLookups: count(
      "maxConcurrentLookups",
      maxConcurrentLookups,
      1,
    ),
    maxConcurrentUploads: count(
      "maxConcurrentUploads",
      maxConcurrentUploads,
      1,
    ),
    maxQueuedUploads: count("maxQueuedUploads", maxQueuedUploads, 0),
    maxEntryBytes: Math.floor(maxEntryMb * MB),
    leaseTtlMs: time("leaseTtlMs", leaseTtlMs),
    leaseWaitMs: time("leaseWaitMs", leaseWaitMs),
    changesEveryMs: time("changesEveryMs", changesEveryMs),
    readOnly: check.value("readOnly", readOnly, "boolean"),
  };
}
