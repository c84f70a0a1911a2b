import { join } from "@std/path";
import { tempDir } from "../fixtures/directory/temp_dir.ts";
import {
  describe,
  ERRNO,
  type ErrorCode,
  faultEnv,
  type FaultOptions,
  type Operation,
  parseOperation,
} from "./fault_injection.ts";

/** The effect of an armed fault. */
export interface Arming {
  /** The number of the operation that it hits, 1 being the first; 0 for all. */
  at: number;
  /** Whether all later operations are hit as well. */
  sticky?: boolean;
  /** The error of failing operations. */
  code?: ErrorCode;
  /** The delay of slow operations, in milliseconds. */
  ms?: number;
}

/** A fault of the disk that a test switches on. */
export class ArmedFault implements AsyncDisposable {
  /** Variables for the environment of the process. */
  readonly env: Record<string, string>;
  readonly #control: string;
  readonly #log: string;
  readonly #temp: AsyncDisposable;
  #serial = 0;

  private constructor(
    env: Record<string, string>,
    control: string,
    log: string,
    temp: AsyncDisposable,
  ) {
    this.env = env;
    this.#control = control;
    this.#log = log;
    this.#temp = temp;
  }

  /** Makes a fault for a process with files below `dir`. */
  static async make(
    dir: string,
    options: Pick<FaultOptions, "fault" | "operations">,
  ): Promise<ArmedFault> {
    const temp = await tempDir();
    const control = join(temp.path, "control");
    const log = join(temp.path, "log");
    const env = await faultEnv(dir, { ...options, control, log });
    return new ArmedFault(env, control, log, temp);
  }

  /**
   * Switches the fault on, until disposed; no other may be armed at the time.
   */
  async arm(
    { at, sticky = false, code = "EIO", ms = 0 }: Arming,
  ): Promise<AsyncDisposable> {
    const serial = ++this.#serial;
    const line = [serial, at, sticky ? 1 : 0, ERRNO[code], ms].join(" ");
    await Deno.writeTextFile(this.#log, "");
    await Deno.writeTextFile(this.#control, line);
    return { [Symbol.asyncDispose]: () => Deno.remove(this.#control) };
  }

  /** The operations that came while it was last armed. */
  async operations(): Promise<Operation[]> {
    const lines = (await Deno.readTextFile(this.#log)).split("\n");
    return lines.map(parseOperation).filter((line) => line !== undefined);
  }

  /** Names the operation that was hit; undefined when none was. */
  async hit(at: number): Promise<string | undefined> {
    const operations = await this.operations();
    const hit = operations.find(({ number }) => number === at);
    return hit && describe(hit);
  }

  /** Removes the files that control it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#temp[Symbol.asyncDispose]();
  }
}
