import { fitsSidecar } from "../disk/sidecar.ts";
import type { Claim } from "../sharing/download_claims.ts";
import type { DownloadParts } from "./download_parts.ts";

/** The claim of a download that asks no other process. */
const UNSHARED: Claim = { role: "none" };

/**
 * The claims of one download, one after the other: each process that it has followed may
 * be lost. A caller waits for two silent processes at most.
 */
export class ClaimTurns {
  readonly #parts: DownloadParts;
  readonly #url: string;
  readonly #key: string;
  /** Whether other processes may be followed. */
  #mayFollow = true;
  #hasTakenOver = false;

  constructor(parts: DownloadParts, url: string, key: string) {
    this.#parts = parts;
    this.#url = url;
    this.#key = key;
  }

  /**
   * Claims the URL, or finds the process that downloads it.
   *
   * @param mayStore Whether the body is still to be stored.
   */
  async claim(mayStore: boolean): Promise<Claim> {
    const { claims, errors } = this.#parts;
    if (!mayStore || !this.#mayFollow) return UNSHARED;
    // The URL is too long for a sidecar: no process can store it.
    if (!fitsSidecar({ url: this.#url, mimetype: "", filename: "" })) {
      return UNSHARED;
    }
    try {
      return await claims.claim(this.#key);
    } catch (error) {
      // The download goes on, uncached if need be.
      errors.report("claim a download", error);
    }
    return UNSHARED;
  }

  /** Lets each later claim be this process's own, and asks no other process. */
  followNobody(): void {
    this.#mayFollow = false;
  }

  /**
   * Takes the claim of a silent process away, so that of all processes that wait for it
   * one downloads and the others follow. If that one is silent, too, no other is followed.
   *
   * @param identity The identity of the staged file of the silent process.
   */
  async takeOver(identity: number): Promise<void> {
    const { claims, errors } = this.#parts;
    this.#mayFollow = !this.#hasTakenOver;
    this.#hasTakenOver = true;
    try {
      this.#mayFollow &&= await claims.takeOver(this.#key, identity);
    } catch (error) {
      errors.report("take over a download", error);
      this.#mayFollow = false;
    }
  }
}
