/** The object store behind the rows with a remote tier. */
import { Ceph } from "../fixtures/remote/ceph.ts";
import { NotMeasuredError } from "./measurement.ts";

/** Ceph, started when a row first needs it. */
export class RemoteEngine implements AsyncDisposable {
  readonly #store: "memstore" | "bluestore";
  #starting: Promise<Ceph> | undefined;

  /** Gigabytes of bodies need a disk, and little else. */
  constructor(store: "memstore" | "bluestore") {
    this.#store = store;
  }

  /**
   * The running engine, restarted after what a row has done to it.
   *
   * @throws {NotMeasuredError} Where Ceph is not installed.
   */
  async ready(): Promise<Ceph> {
    try {
      const ceph = await (this.#starting ??= Ceph.start({
        store: this.#store,
      }));
      ceph.continue();
      await ceph.restart();
      return ceph;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      throw new NotMeasuredError("there is no Ceph");
    }
  }

  /** Ends the engine. */
  async [Symbol.asyncDispose](): Promise<void> {
    const ceph = await this.#starting?.catch(() => undefined);
    await ceph?.[Symbol.asyncDispose]();
  }
}
