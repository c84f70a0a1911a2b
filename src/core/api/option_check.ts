import { isMediaRange, MEDIA_RANGES_WANTED } from "../text/media_ranges.ts";

/** The types by which options are checked, as `typeof` names them. */
export type OptionType = "boolean" | "function" | "number" | "string";

/**
 * Checks options given by users: a value of a wrong type throws a TypeError, any
 * other wrong value a RangeError. Each message names the option, the values that
 * it may have, and the value received.
 */
export class OptionCheck {
  readonly #task: string;
  readonly #group: string | undefined;

  /**
   * Creates a check.
   *
   * @param task The work that a wrong option prevents, such as "open cache".
   * @param group The option that has these options as its members, if any.
   */
  constructor(task: string, group?: string) {
    this.#task = task;
    this.#group = group;
  }

  /** Throws unless the options are an object. */
  object(name: string, value: unknown, wanted = "an object"): void {
    if (typeof value === "object" && value !== null) return;
    throw this.error(TypeError, name, wanted, shown(value));
  }

  /** Throws if members are left after all known options were taken. */
  nothingLeft(others: object): void {
    const [unknown] = Object.keys(others);
    if (unknown === undefined) return;
    const of = this.#group === undefined ? "" : ` of ${this.#group}`;
    throw new TypeError(
      `Cannot ${this.#task}: each option${of} must be one that is known: received ${
        shown(unknown)
      }`,
    );
  }

  /**
   * Returns the value of an option, which may be undefined.
   *
   * @param wanted Says what the value must be.
   * @param isRight Tells whether a value of the right type is allowed.
   */
  value<T>(
    name: string,
    value: T,
    type: OptionType,
    wanted: string = `a ${type}`,
    isRight: (value: T) => boolean = () => true,
  ): T {
    if (value === undefined) return value;
    const found: string = typeof value;
    if (found !== type) {
      throw this.error(TypeError, name, wanted, shown(value));
    }
    if (isRight(value)) return value;
    throw this.error(RangeError, name, wanted, shown(value));
  }

  /** Returns a time in milliseconds, which may be 0, infinite or undefined. */
  age<T extends number | undefined>(name: string, value: T): T {
    const isAge = (ms: T) => Number(ms) >= 0;
    return this.value(name, value, "number", "a number of at least 0", isAge);
  }

  /** Returns the value of an option that names one of several choices. */
  choice<T extends string>(name: string, value: T, choices: readonly T[]): T {
    const wanted = choices.map(shown).join(" or ");
    return this.value(
      name,
      value,
      "string",
      wanted,
      (each) => choices.includes(each),
    );
  }

  /** Returns a copy of an option that lists media ranges in lower case, such as `image/*`. */
  mediaRanges(
    name: string,
    value: readonly string[] | undefined,
  ): readonly string[] | undefined {
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) {
      throw this.error(TypeError, name, MEDIA_RANGES_WANTED, shown(value));
    }
    if (value.length === 0) {
      throw this.error(RangeError, name, MEDIA_RANGES_WANTED, "an empty array");
    }
    return value.map((each: string) => {
      this.value(
        name,
        each ?? null,
        "string",
        MEDIA_RANGES_WANTED,
        isMediaRange,
      );
      return each.toLowerCase();
    });
  }

  /** Creates the error of an option; `received` is shown as it is. */
  error(
    Type: typeof RangeError | typeof TypeError,
    name: string,
    wanted: string,
    received: string,
  ): Error {
    const path = this.#group === undefined ? name : `${this.#group}.${name}`;
    return new Type(
      `Cannot ${this.#task}: ${path} must be ${wanted}: received ${received}`,
    );
  }
}

/** Strings in quotes, other values as `String()` shows them. */
function shown(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}
