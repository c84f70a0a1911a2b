import type { Found, PairStore } from "../disk/pair_store.ts";
import {
  classify,
  datName,
  INDEX_NAME,
  jsonName,
  noteName,
} from "../disk/file_names.ts";
import { keyOf } from "../text/key.ts";
import type { WriteTurns } from "./write_turns.ts";

/** The end of an entry that another URL stands for. */
export type Rekeyed =
  /** The entry is that of the canonical URL now. */
  | "moved"
  /** The canonical URL had an entry: the one stored last is its entry now. */
  | "merged"
  /** The entry has its canonical URL, or was removed meanwhile. */
  | "unchanged";

/** The sidecar of a whole pair, and its last use in milliseconds since the epoch. */
type Pair = Found["sidecar"] & { readonly usedMs: number };

/**
 * Gives entries the keys of their canonical URLs, for a directory that was filled
 * without them. Knows no catalog: processes that use the directory learn each change
 * from the list of changes.
 */
export class Rekeying implements AsyncDisposable {
  readonly #store: PairStore;
  readonly #writes: WriteTurns;
  readonly #canonicalUrl: (url: string) => string;
  /** The keys to which `look()` would have moved entries. */
  readonly #seen = new Set<string>();
  /** Whether an entry has been moved. */
  #hasChanged = false;

  /** `writes` runs tasks under the lock of the directory; no catalog has to learn from it. */
  constructor(
    store: PairStore,
    writes: WriteTurns,
    canonicalUrl: (url: string) => string,
  ) {
    this.#store = store;
    this.#writes = writes;
    this.#canonicalUrl = canonicalUrl;
  }

  /** The keys of all sidecars. */
  async keys(): Promise<string[]> {
    const keys: string[] = [];
    for await (const { name } of this.#store.list()) {
      const { kind, key } = classify(name);
      if (kind === "json") keys.push(key);
    }
    return keys;
  }

  /** Tells what `move()` would do, after the looks before, and does nothing. */
  async look(key: string): Promise<Rekeyed> {
    const found = await this.#find(key);
    const target = this.#targetOf(key, found);
    if (target === undefined) return "unchanged";
    const isTaken = this.#seen.has(target) ||
      await this.#find(target) !== undefined;
    this.#seen.add(target);
    return isTaken ? "merged" : "moved";
  }

  /**
   * Gives an entry the key of its canonical URL. Of two entries of one URL the one
   * stored last stays, with the last use of both.
   *
   * @throws The file system's error. The entry then has its old key or its new one.
   */
  async move(key: string): Promise<Rekeyed> {
    const before = await this.#find(key);
    if (before === undefined) return await this.#removeHalf(key);
    // Most entries have their key: no lock for a look at them.
    if (this.#targetOf(key, before) === undefined) return "unchanged";
    return await this.#writes.withLock(async () => {
      const found = await this.#find(key);
      const target = this.#targetOf(key, found);
      if (found === undefined || target === undefined) return "unchanged";
      if (!this.#hasChanged) await this.#removeIndex();
      const other = await this.#find(target);
      await this.#writes.announceRemoval(key);
      if (other !== undefined && (other.ts ?? 0) >= (found.ts ?? 0)) {
        await this.#used(target, other, found);
        await this.#store.remove(key);
        await this.#removeNote(key);
        return "merged";
      }
      // Its handles are of the bytes that go.
      if (other !== undefined) await this.#removeNote(target);
      await this.#writes.announce(target);
      const { stamp: _s, writtenMs: _w, usedMs: _u, ...members } = found;
      const url = this.#canonicalUrl(found.url);
      await this.#store.rekey(key, target, { ...members, url });
      await this.#moveNote(key, target);
      if (other === undefined) return "moved";
      await this.#used(target, found, other);
      return "merged";
    });
  }

  /**
   * Removes a sidecar without a body, which a killed run leaves: its URL may hold a token.
   * The Python original writes and removes the body first.
   */
  async #removeHalf(key: string): Promise<Rekeyed> {
    await this.#writes.withLock(async () => {
      if (await this.#store.exists(datName(key))) return;
      const half = await this.#store.readSidecar(key);
      if (half === undefined || "reason" in half) return;
      if (this.#targetOf(key, half) === undefined) return;
      await this.#store.removeFile(jsonName(key));
    });
    return "unchanged";
  }

  /** A note goes with its entry; without an entry it keeps its key, and goes in time. */
  async #moveNote(from: string, to: string): Promise<void> {
    if (!this.#store.probablyExists(noteName(from))) return;
    await this.#store.renameFile(noteName(from), noteName(to));
  }

  async #removeNote(key: string): Promise<void> {
    if (!this.#store.probablyExists(noteName(key))) return;
    await this.#store.removeFile(noteName(key));
  }

  /** Removes the index, which holds the old URLs. Its loss costs a scan at the next start. */
  async #removeIndex(): Promise<void> {
    this.#hasChanged = true;
    await this.#store.removeFile(INDEX_NAME);
  }

  /** Closes the list of changes. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writes.close();
  }

  /** The facts of a whole pair. */
  async #find(key: string): Promise<Pair | undefined> {
    const found = await this.#store.find(key);
    if (found === undefined || !("file" in found)) return undefined;
    found.file.close();
    return { ...found.sidecar, usedMs: found.facts.mtimeMs };
  }

  /** Gives the entry that stays the last use of the one that goes, if that is later. */
  async #used(key: string, stays: Pair, goes: Pair): Promise<void> {
    if (goes.usedMs > stays.usedMs) await this.#store.touch(key, goes.usedMs);
  }

  /** The key that an entry should have, if that is another. */
  #targetOf(key: string, found: { url: string } | undefined) {
    if (found === undefined) return undefined;
    const target = keyOf(this.#canonicalUrl(found.url));
    return target === key ? undefined : target;
  }
}
