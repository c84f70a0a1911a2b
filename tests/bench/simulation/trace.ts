import { Random } from "../../fixtures/inputs/random.ts";
import { DAY_MS, randomBytes, type Scenario } from "./scenario.ts";
import { Zipf } from "./zipf.ts";

/** A request for a medium. */
export interface Request {
  /** When, in milliseconds since the start. */
  readonly atMs: number;
  /** Number of the host. */
  readonly host: number;
  /** Number of the rank: its medium now is `medium`, and another one later. */
  readonly slot: number;
  /** Whether all hosts want the medium at the same time. */
  readonly isBroadcast: boolean;
}

/** The requests of all hosts, in the order of their time, the same for a seed. */
export class Trace {
  /** Number of all ranks: those of all hosts, then those of each host. */
  readonly slots: number;

  readonly #scenario: Scenario;
  readonly #random: Random;
  readonly #fraction: () => number;
  readonly #shared: Zipf;
  readonly #own: Zipf;
  readonly #diesAtMs: Float64Array;
  readonly #bytes: Float64Array;
  readonly #names: string[] = [];
  #born = 0;

  /** Makes the first medium of each rank. */
  constructor(scenario: Scenario) {
    const { hosts, sharedMedia, ownMedia, exponent, seed } = scenario;
    this.#scenario = scenario;
    this.#random = new Random(seed);
    this.#fraction = () => this.#random.fraction();
    this.#shared = new Zipf(sharedMedia, exponent);
    this.#own = new Zipf(ownMedia, exponent);
    this.slots = sharedMedia + hosts * ownMedia;
    this.#diesAtMs = new Float64Array(this.slots);
    this.#bytes = new Float64Array(this.slots);
    for (let slot = 0; slot < this.slots; slot++) this.#bear(slot, 0);
  }

  /** The key of the medium that a rank has now. */
  nameOf(slot: number): string {
    return this.#names[slot] ?? "";
  }

  /** The length of the medium that a rank has now, in bytes. */
  bytesOf(slot: number): number {
    return this.#bytes[slot] ?? 0;
  }

  /**
   * Plays all requests.
   *
   * @param onBirth Called when a rank gets another medium.
   */
  play(
    onBirth: (slot: number) => void,
    onRequest: (request: Request) => void,
  ): void {
    const { hosts, requestsPerDay, broadcastsPerDay, ...scenario } =
      this.#scenario;
    const endMs = (scenario.warmUpDays + scenario.days) * DAY_MS;
    const meanGapMs = DAY_MS / (hosts * requestsPerDay);
    let broadcastAtMs = this.#gap(DAY_MS / broadcastsPerDay);
    let pending: Request[] = [];
    for (let atMs = 0; atMs < endMs; atMs += this.#gap(meanGapMs)) {
      while (broadcastAtMs <= atMs) {
        pending = [...pending, ...this.#broadcast(broadcastAtMs, onBirth)]
          .sort((a, b) => b.atMs - a.atMs);
        broadcastAtMs += this.#gap(DAY_MS / broadcastsPerDay);
      }
      while ((pending.at(-1)?.atMs ?? Infinity) <= atMs) {
        const request = pending.pop();
        if (request) onRequest(request);
      }
      const host = this.#random.integer(0, hosts - 1);
      const slot = this.#pick(host);
      if ((this.#diesAtMs[slot] ?? 0) <= atMs) {
        this.#bear(slot, atMs);
        onBirth(slot);
      }
      onRequest({ atMs, host, slot, isBroadcast: false });
    }
  }

  #pick(host: number): number {
    const { sharedShare, sharedMedia, ownMedia } = this.#scenario;
    return this.#fraction() < sharedShare
      ? this.#shared.pick(this.#fraction)
      : sharedMedia + host * ownMedia + this.#own.pick(this.#fraction);
  }

  /** A new medium at a popular rank, and the request of each host for it. */
  #broadcast(fromMs: number, onBirth: (slot: number) => void): Request[] {
    const { hosts, broadcastMs } = this.#scenario;
    const slot = this.#shared.pick(this.#fraction);
    this.#bear(slot, fromMs);
    onBirth(slot);
    return Array.from({ length: hosts }, (_, host) => ({
      atMs: fromMs + this.#fraction() * broadcastMs,
      ...{ host, slot, isBroadcast: true },
    }));
  }

  #bear(slot: number, atMs: number): void {
    this.#diesAtMs[slot] = atMs + this.#gap(this.#scenario.lifeDays * DAY_MS);
    this.#bytes[slot] = randomBytes(this.#fraction);
    this.#names[slot] = String(this.#born++);
  }

  /** A random time between two events of a Poisson process. */
  #gap(meanMs: number): number {
    return -meanMs * Math.log(1 - this.#fraction());
  }
}
