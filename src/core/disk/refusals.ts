import { isRefusal } from "./disk_fault.ts";
import type { MaybePromise } from "./io_mode.ts";
import type { Refusable } from "../text/refusable.ts";

/** Called for an operation that the file system refuses and the cache does without. */
export type OnRefused = (operation: Refusable, error: Error) => void;

/** Collects the operations that a file system refuses and the cache does without. */
export class Refusals {
  readonly #onRefused: OnRefused;
  readonly #refused = new Set<Refusable>();

  /** Calls `onRefused` once for each refused operation. */
  constructor(onRefused: OnRefused = () => {}) {
    this.#onRefused = onRefused;
  }

  /** The refused operations, sorted. */
  get list(): readonly Refusable[] {
    return [...this.#refused].sort();
  }

  /** Whether the file system has refused an operation. */
  has(operation: Refusable): boolean {
    return this.#refused.has(operation);
  }

  /**
   * Notes that an operation was refused.
   *
   * @throws The error, unless it is a refusal.
   */
  note(operation: Refusable, error: unknown): void {
    if (!isRefusal(error)) throw error;
    if (this.#refused.has(operation)) return;
    this.#refused.add(operation);
    this.#onRefused(operation, error);
  }

  /**
   * Runs an operation that the cache can do without.
   *
   * @returns False where the file system refuses it.
   * @throws The file system's error, unless it is a refusal.
   */
  try(
    operation: Refusable,
    run: () => MaybePromise<void>,
  ): MaybePromise<boolean> {
    const failed = (error: unknown) => {
      this.note(operation, error);
      return false;
    };
    try {
      const result = run();
      return result === undefined || result.then(() => true, failed);
    } catch (error) {
      return failed(error);
    }
  }
}
