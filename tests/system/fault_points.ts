import { join } from "@std/path";
import type { MediaCacheOptions } from "../../mod.ts";
import { CHANGES_NAME } from "../../src/core/disk/file_names.ts";
import { FaultedCache } from "../fixtures/faults/faulted_cache.ts";
import { namesIn } from "../fixtures/directory/files.ts";
import { Tmpfs } from "../fixtures/directory/tmpfs.ts";
import { ArmedFault, type Arming } from "./armed_fault.ts";
import type { OperationName } from "./fault_injection.ts";

/** Every operation that may fail. */
const OPERATIONS: OperationName[] = [
  "create",
  "write",
  "truncate",
  "sync",
  "rename",
  "link",
  "unlink",
  "mkdir",
  "rmdir",
  "utime",
  "chmod",
  "open",
  "read",
  "lock",
  "stat",
  "list",
];

/** A use of a cache, repeated once for every operation that it needs. */
export interface FaultScenario {
  /** The name of the scenario. */
  readonly name: string;
  /** The cache's options, except the directory. */
  readonly options: MediaCacheOptions;
  /** Whether another process without a disk fault uses the directory, too. */
  readonly isShared?: boolean;
  /** Brings the cache to its state before the use. */
  prepare(points: FaultPoints): Promise<void>;
  /** Uses the cache, while one operation fails, and perhaps all after it. */
  use(points: FaultPoints): Promise<void>;
  /** Checks the state, when no operation fails any more. */
  look(points: FaultPoints): Promise<void>;
  /** Uses the cache again. */
  heal(points: FaultPoints): Promise<void>;
}

/**
 * Operations that may fail without an error for the caller: another look
 * replaces a failed look, the directory exists, a staged file is removed later,
 * and other processes find changes by themselves.
 */
const HARMLESS =
  /: (stat|list|mkdir|unlink .*part$)|: (lock|write) \.media-cache/;

/**
 * A body that was read, and the results that are allowed beside all of its
 * bytes.
 */
interface Read {
  what: string;
  found: string;
  also: RegExp;
}

/** The result of hitting one operation. */
export interface Point {
  /** The operation that was hit; undefined when there were fewer. */
  hit: string | undefined;
  /** The results that are wrong. */
  problems: string[];
}

/** A cache with a disk that fails at one operation after the other. */
export class FaultPoints implements AsyncDisposable {
  /** The cache. */
  readonly cache: FaultedCache;
  /** The options. */
  readonly options: MediaCacheOptions;
  readonly #scenario: FaultScenario;
  readonly #dir: string;
  readonly #fault: ArmedFault;
  readonly #other: FaultedCache | undefined;
  readonly #stack: AsyncDisposableStack;
  #problems: string[] = [];
  #reads: Read[] = [];
  #told = false;

  private constructor(
    scenario: FaultScenario,
    options: MediaCacheOptions,
    dir: string,
    cache: FaultedCache,
    fault: ArmedFault,
    other: FaultedCache | undefined,
    stack: AsyncDisposableStack,
  ) {
    this.#scenario = scenario;
    this.options = options;
    this.#dir = dir;
    this.cache = cache;
    this.#fault = fault;
    this.#other = other;
    this.#stack = stack;
  }

  /** Starts the cache, on a disk of its own. */
  static async start(
    scenario: FaultScenario,
    operations: OperationName[] = OPERATIONS,
  ): Promise<FaultPoints> {
    await using stack = new AsyncDisposableStack();
    const disk = stack.use(await Tmpfs.mount("size=64m"));
    const dir = join(disk.path, "cache");
    const fault = stack.use(
      await ArmedFault.make(dir, {
        fault: { action: "fail", code: "EIO" },
        operations,
      }),
    );
    const options = { ...scenario.options, cacheDir: dir };
    const cache = stack
      .use(await FaultedCache.open(options, { env: fault.env }));
    const other = scenario.isShared
      ? stack.use(await FaultedCache.open(options))
      : undefined;
    const rest = stack.move();
    return new FaultPoints(scenario, options, dir, cache, fault, other, rest);
  }

  /** The cache of the other process. */
  get other(): FaultedCache {
    if (this.#other === undefined) throw new Error("There is no other process");
    return this.#other;
  }

  /** Uses the cache with a fault. */
  async try(arming: Arming): Promise<Point> {
    this.#problems = [];
    this.#reads = [];
    this.#told = false;
    await this.#scenario.prepare(this);
    const before = await this.#errors();
    let hit: string | undefined;
    {
      await using _fault = await this.#fault.arm(arming);
      await this.#scenario.use(this);
      hit = await this.#fault.hit(arming.at);
    }
    this.#checkReads(hit, arming);
    const errors = await this.#errors() - before;
    const mayBeSilent = this.#told || hit === undefined || HARMLESS.test(hit);
    if (!mayBeSilent && errors === 0) this.expect("errors", "none", /some/);
    if (hit === undefined && errors > 0) this.expect("errors", "some", /none/);
    await this.#scenario.look(this);
    await this.#checkOrphans(arming.sticky === true);
    await this.#scenario.heal(this);
    await this.#checkLeft();
    return { hit, problems: this.#problems };
  }

  /** Records a result that is not as expected. */
  expect(what: string, found: string | boolean, wanted: RegExp): void {
    const isRight = wanted.test(`${found}`);
    if (!isRight) this.#problems.push(`${what}: ${found}`);
  }

  /**
   * Expects a whole body, unless its bytes could not be read from the disk, or
   * the result is one that `also` allows.
   */
  expectWhole(what: string, found: string, also = /^whole$/): void {
    this.#reads.push({ what, found, also });
  }

  /**
   * Records that a call has failed, and so reported the fault, if there is a
   * message.
   */
  told(message: string, wanted: RegExp): void {
    this.expect("message", message, wanted);
    if (message !== "") this.#told = true;
  }

  /** Ends the process; returns its standard error. */
  async end(): Promise<{ code: number; complaints: string }> {
    await this.cache.ask("close");
    return await this.cache.end();
  }

  /** Ends every process. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }

  #checkReads(hit: string | undefined, { code, sticky }: Arming): void {
    const isDead = code === "EIO" && sticky === true;
    const mayFail = hit !== undefined && (isDead || / read /.test(hit));
    for (const { what, found, also } of this.#reads) {
      const isRight = found === "whole" || also.test(found) ||
        mayFail && found.includes("os error");
      if (!isRight) this.#problems.push(`${what}: ${found}`);
    }
  }

  async #errors(): Promise<number> {
    return (await this.cache.ask("tell")).events.diskError ?? 0;
  }

  /**
   * Files without an entry are orphans, except files that a dead disk did not
   * show.
   */
  async #checkOrphans(isDead: boolean): Promise<void> {
    const names = await namesIn(this.#dir);
    let bytes = 0;
    let sidecarBytes = 0;
    for (const name of names) {
      const { size } = await Deno.stat(join(this.#dir, name));
      const isSidecar = name.endsWith(".json");
      const isLone = !names.includes(name.replace(".json", ".dat"));
      if (name.endsWith(".dat") || isSidecar && isLone) bytes += size;
      else if (isSidecar) sidecarBytes += size;
    }
    const { totalBytes, orphanBytes } = (await this.cache.ask("tell")).stats;
    const known = totalBytes + orphanBytes;
    // Sidecars count with pairs that are orphans, and not with entries.
    const isRight = (isDead || known >= bytes) && known <= bytes + sidecarBytes;
    if (!isRight) this.expect("known bytes", `${known} of ${bytes}`, /^all$/);
  }

  /** Expects no staged file and no open file. */
  async #checkLeft(): Promise<void> {
    const { stats } = await this.cache.ask("tell");
    this.expect("staged bytes", `${stats.stagedBytes}`, /^0$/);
    const names = await namesIn(this.#dir);
    const staged = names.filter((name) => name.endsWith(".part"));
    this.expect("staged files", `${staged.length}`, /^0$/);
    const files = await this.cache.files();
    const open = files.filter((path) =>
      path.startsWith(this.#dir) && !path.endsWith(CHANGES_NAME)
    );
    this.expect("open files", `${open}`, /^$/);
  }
}
