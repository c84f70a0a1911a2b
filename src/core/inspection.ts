import { storedAtOf } from "./catalog/entry.ts";
import { PairStore } from "./disk/pair_store.ts";
import { FileSystem } from "./disk/file_system.ts";
import { classify, datName } from "./disk/file_names.ts";
import type { Sidecar } from "./disk/sidecar.ts";

/** A file of an entry that is being stored, or that a kill has left. */
export interface StagedPart {
  /** Its name. */
  readonly name: string;
  /** Its bytes. */
  readonly size: number;
  /** Whether somebody is writing it. */
  readonly locked: boolean;
}

/**
 * The permission of Deno that is missing to use a folder, as its flag; undefined when
 * none is. Asks nobody.
 */
export function missingPermission(
  dir: string,
  write: boolean,
): string | undefined {
  return new FileSystem().missingPermission(dir, write);
}

/** What lies in the folder under one key. */
export interface Inspection {
  /** The key. */
  readonly key: string;
  /** Why there is no entry; undefined when there is one. */
  readonly reason: string | undefined;
  /** What its sidecar says, if it can be believed. */
  readonly sidecar: Sidecar | undefined;
  /** Bytes of its body, if there is one. */
  readonly size: number | undefined;
  /** When it was stored, in milliseconds since the epoch; 0 where nobody noted it. */
  readonly storedAt: number | undefined;
  /** When it was last used, in milliseconds since the epoch. */
  readonly lastAccess: number | undefined;
  /** What is on its way. */
  readonly staged: readonly StagedPart[];
}

/** Looks at the files of one key, and touches nothing. */
export class Inspector {
  readonly #store: PairStore;

  /** Looks into a folder that is there. */
  constructor(dir: string) {
    const options = { dir, durable: false, readOnly: true };
    this.#store = new PairStore(new FileSystem(), options);
  }

  /** The keys of which a file lies in the folder and that begin with these digits. */
  async keysFrom(prefix: string): Promise<Set<string>> {
    const keys = new Set<string>();
    for await (const { name } of this.#store.list()) {
      const { key } = classify(name);
      if (key !== "" && key.startsWith(prefix)) keys.add(key);
    }
    return keys;
  }

  /** What lies under a key. */
  async inspect(key: string): Promise<Inspection> {
    const nothing = {
      key,
      sidecar: undefined,
      size: undefined,
      storedAt: undefined,
      lastAccess: undefined,
      staged: await this.#staged(key),
    };
    try {
      const found = await this.#store.find(key);
      if (found !== undefined && "file" in found) {
        found.file.close();
        const { sidecar, facts: { size, mtimeMs } } = found;
        // As entries() tells it: nothing was used in the future.
        const lastAccess = Math.min(mtimeMs, Date.now());
        return {
          ...nothing,
          ...{ reason: undefined, sidecar, size, lastAccess },
          storedAt: storedAtOf(sidecar.ts),
        };
      }
      const dat = await this.#store.facts(datName(key));
      const reason = found?.reason ??
        (dat === undefined
          ? "nothing is stored under its key"
          : "its sidecar is missing");
      return { ...nothing, reason, size: dat?.size };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return { ...nothing, reason };
    }
  }

  async #staged(key: string): Promise<StagedPart[]> {
    const parts: StagedPart[] = [];
    for await (const { name } of this.#store.list()) {
      const found = classify(name);
      if (found.kind !== "staged" || found.key !== key) continue;
      const facts = await Promise.try(() => this.#store.facts(name))
        .catch(() => undefined);
      if (facts === undefined) continue;
      const locked = await this.#store.isLocked(name);
      parts.push({ name, size: facts.size, locked });
    }
    return parts;
  }
}
