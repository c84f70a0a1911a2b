import type { ResolvedRemote } from "../api/remote_option.ts";
import type { RemoteLease, RemoteStats } from "../api/remote_tier.ts";
import { startWait } from "../async/timer.ts";
import type { RemoteCalls, RemoteOutcome } from "./remote_calls.ts";
import type { RemoteCounters } from "./remote_counters.ts";
import type { LookupResult } from "./remote_lookup.ts";

/** The first and the longest time between two looks for the object of another host, in milliseconds. */
const FIRST_LOOK_MS = 40;
const MAX_LOOK_MS = 400;

/** The growth of the time between two looks. */
const GROWTH = 1.6;

/** The looks in a row without an answer after which a host waits no more. */
const MAX_UNKNOWN = 2;

/** A lease that this host has. */
interface HeldLease {
  /** The signal of the download that has taken it. */
  readonly signal: AbortSignal;
  /** Gives it back, where the tier can. */
  readonly release: ((signal: AbortSignal) => Promise<void>) | undefined;
}

/** The failures of leases and probes since the tier went down or came back last. */
interface Failures {
  /** The round of the calls: an outage of the tier begins another. */
  readonly round: number;
  inARow: number;
  /** Until when this host downloads without leases. */
  pausedUntil: number;
}

/** The failures of leases or probes in a row after which this host downloads without. */
const MAX_FAILURES = 3;

/** The time without leases after such failures, in milliseconds; then one more is enough. */
const WITHOUT_MS = 60_000;

/**
 * Lets one of several hosts download a URL, while the others wait for its object. A lease
 * that is lost costs a second download and no byte: the last whole object wins.
 */
export class Leases {
  /** The state of leases but for their pauses. */
  #known: Exclude<RemoteStats["lease"], "paused">;
  readonly #remote: ResolvedRemote;
  readonly #calls: RemoteCalls;
  readonly #counters: RemoteCounters;
  readonly #find: (key: string, signal: AbortSignal) => Promise<LookupResult>;
  readonly #held = new Map<string, HeldLease>();
  #probing: Promise<void> | undefined;
  #failures: Failures = { round: 0, inARow: 0, pausedUntil: 0 };

  /**
   * @param mayUpload Whether objects can come from here: else a lease would be in vain.
   * @param find Looks for the object of a key.
   */
  constructor(
    remote: ResolvedRemote,
    calls: RemoteCalls,
    counters: RemoteCounters,
    mayUpload: boolean,
    find: (key: string, signal: AbortSignal) => Promise<LookupResult>,
  ) {
    this.#remote = remote;
    this.#calls = calls;
    this.#counters = counters;
    this.#find = find;
    const isOff = remote.tier.lease === undefined || !mayUpload;
    this.#known = isOff ? "off" : "unproven";
  }

  /** Whether hosts download by lease. */
  get state(): RemoteStats["lease"] {
    const isPossible = this.#known === "on" || this.#known === "unproven";
    const { round, pausedUntil } = this.#failures;
    const isPaused = performance.now() < pausedUntil &&
      round === this.#calls.round;
    return isPossible && isPaused ? "paused" : this.#known;
  }

  /** Whether a download may have to wait for its turn. */
  get isUsed(): boolean {
    const { state } = this;
    return state === "on" || state === "unproven";
  }

  /**
   * Takes the lease of a key, or waits for the object of the host that has it.
   *
   * @returns The object, or why this host downloads.
   * @throws {unknown} The reason of the signal.
   */
  async turn(key: string, signal: AbortSignal): Promise<LookupResult> {
    if (this.state === "unproven") await this.#prove(signal);
    const { leaseWaitMs } = this.#remote.limits;
    const until = performance.now() + leaseWaitMs;
    while (this.state === "on") {
      const lease = await this.#take(key, signal);
      if (lease === undefined || lease.held) break;
      // A lease that has just ended is not asked for again and again.
      const leftMs = Math.max(FIRST_LOOK_MS, lease.leftMs);
      const again = performance.now() + leftMs;
      const found = await this.#await(key, Math.min(again, until), signal);
      if (found !== "none") return found;
      if (performance.now() >= until) break;
    }
    return "none";
  }

  /** Ends the turn of this host: its object is stored. */
  done(key: string): void {
    this.#held.delete(key);
  }

  /**
   * Gives the lease back, where the tier can: there will be no object.
   *
   * @param signal That of a download, of which alone the lease is given back.
   */
  release(key: string, signal?: AbortSignal): void {
    const held = this.#held.get(key);
    if (signal !== undefined && held?.signal !== signal) return;
    this.#held.delete(key);
    const release = held?.release;
    if (release === undefined) return;
    const { lookupTimeoutMs: timeoutMs } = this.#remote.limits;
    this.#calls.run((limit) => release(limit), {
      timeoutMs,
      isBackground: true,
    });
  }

  /** Waits for the probe of the tier, which the first download starts. */
  async #prove(signal: AbortSignal): Promise<void> {
    const { lookupTimeoutMs } = this.#remote.limits;
    this.#probing ??= this.#probe().finally(() => this.#probing = undefined);
    const wait = startWait(lookupTimeoutMs, signal);
    try {
      await Promise.race([this.#probing, wait.ended]);
    } finally {
      wait.stop();
    }
    signal.throwIfAborted();
  }

  async #probe(): Promise<void> {
    const { tier, limits } = this.#remote;
    const { round } = this.#calls;
    const outcome = await this.#calls.run(
      async (limit) => {
        const { reachable, lease } = await tier.probe(limit);
        // Thrown here, where it is a failure of the tier.
        if (!reachable) throw new Error("The probe could not use the tier");
        return lease;
      },
      { timeoutMs: limits.idleTimeoutMs, isBackground: true },
    );
    this.#note(outcome, round);
    // A tier that can't be reached has told nothing: the next download asks again.
    if (typeof outcome === "string") return;
    this.#known = outcome.value ? "on" : "refused";
  }

  /** Asks for the lease; undefined when this host downloads without one. */
  async #take(
    key: string,
    signal: AbortSignal,
  ): Promise<RemoteLease | undefined> {
    const { tier, limits } = this.#remote;
    const { round } = this.#calls;
    const outcome = await this.#calls.run(
      async (limit) =>
        checkedLease(await tier.lease?.(key, limits.leaseTtlMs, limit)),
      { timeoutMs: limits.lookupTimeoutMs, signal },
    );
    this.#note(outcome, round);
    if (typeof outcome === "string") return undefined;
    const lease = outcome.value;
    if (lease.held) {
      this.#counters.leasesHeld++;
      this.#held.set(key, { signal, release: lease.release });
    }
    return lease;
  }

  /**
   * Leaves leases alone for a while after failures: each miss would wait for them.
   *
   * @param round The round of the calls when this one began.
   */
  #note(outcome: RemoteOutcome<unknown>, round: number): void {
    // An outage since tells why the call has failed, and ends the pause.
    if (round !== this.#calls.round) return;
    if (round !== this.#failures.round) {
      this.#failures = { round, inARow: 0, pausedUntil: 0 };
    }
    const failures = this.#failures;
    if (typeof outcome === "object") failures.inARow = 0;
    if (outcome !== "failed" || ++failures.inARow < MAX_FAILURES) return;
    failures.pausedUntil = performance.now() + WITHOUT_MS;
  }

  /** Looks for the object of another host again and again; "none" at the end of that time. */
  async #await(
    key: string,
    until: number,
    signal: AbortSignal,
  ): Promise<LookupResult> {
    let waitMs = FIRST_LOOK_MS;
    let unknown = 0;
    for (
      let leftMs = until - performance.now();
      leftMs > 0;
      leftMs = until - performance.now()
    ) {
      // Hosts that began together must not look together.
      const ms = waitMs * (0.75 + Math.random() / 2);
      await startWait(Math.min(ms, leftMs), signal).ended;
      signal.throwIfAborted();
      waitMs = Math.min(waitMs * GROWTH, MAX_LOOK_MS);
      const found = await this.#find(key, signal);
      if (typeof found === "object") {
        this.#counters.leasesAwaited++;
        return found;
      }
      if (found === "unusable" || found === "wrong") return found;
      unknown = found === "unknown" ? unknown + 1 : 0;
      if (unknown >= MAX_UNKNOWN || !this.#calls.admits) return "unknown";
    }
    return "none";
  }
}

/** Throws for an answer of another shape, which is a failure of the tier. */
function checkedLease(lease: unknown): RemoteLease {
  if (typeof lease === "object" && lease !== null && "held" in lease) {
    const { held } = lease;
    const leftMs = "leftMs" in lease ? lease.leftMs : undefined;
    const release = "release" in lease ? lease.release : undefined;
    if (held === true) {
      if (typeof release !== "function") return { held };
      return {
        held,
        release: async (signal) => await release.call(lease, signal),
      };
    }
    const isTime = typeof leftMs === "number" && Number.isFinite(leftMs);
    if (held === false && isTime) return { held, leftMs };
  }
  throw new TypeError("the lease has another shape");
}
