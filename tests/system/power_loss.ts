/**
 * The states that a disk may have after a power cut, from the log of a
 * process's operations on one directory.
 *
 * A file's bytes are safe up to its last sync, a name up to the last sync of
 * its directory. Later changes may be there or not. Of unsynced bytes any
 * beginning may be there, or zeros in their place; names may have changed in
 * any order, or in the order of the calls, the order of ext4, XFS and Btrfs.
 */
import { join } from "@std/path";
import { namesIn } from "../fixtures/directory/files.ts";
import { type Operation, parseOperation } from "./fault_injection.ts";

/** The fate of unsynced bytes. */
export type Unsynced = "kept" | "halved" | "lost" | "zeroed";

/** A file, under any name. */
interface Inode {
  readonly number: number;
  bytes: Uint8Array;
  synced: Uint8Array;
}

/** A change of names that is not synced: a null removes the name. */
type Change = ReadonlyMap<string, Inode | null>;

type Names = ReadonlyMap<string, Inode>;

/**
 * A directory after a power cut: names and bytes; undefined when the directory
 * is gone.
 */
export type Remains = Map<string, Uint8Array> | undefined;

/** The guarantees that the disk lacks. */
export interface Carelessness {
  /** Whether names may change in another order than the calls. */
  reorders: boolean;
  /** The possible fates of unsynced bytes. */
  unsynced: readonly Unsynced[];
}

/** The disk of a process, with synced and unsynced changes. */
export class CarelessDisk {
  readonly #dirName: string;
  readonly #data: Uint8Array;
  #dataPosition = 0;
  #inodes = 0;
  /** The directory's names as the process sees them. */
  readonly #names = new Map<string, Inode>();
  #sureNames: Names = new Map();
  #changes: Change[] = [];
  #isMade = false;
  #isSure = false;

  /**
   * A disk without the directory.
   *
   * @param dirName The directory's own name.
   * @param data The bytes of all writes that will be asked for.
   */
  constructor(dirName: string, data: Uint8Array) {
    this.#dirName = dirName;
    this.#data = data;
  }

  /** Takes over a directory with its contents, as safely stored. */
  async load(dir: string): Promise<void> {
    for (const name of await namesIn(dir)) {
      const bytes = await Deno.readFile(join(dir, name));
      this.#names.set(name, this.#inode(bytes));
    }
    this.#sureNames = new Map(this.#names);
    this.#isMade = this.#isSure = true;
  }

  /** Applies a line of the log; other lines change nothing. */
  apply(line: string): void {
    const operation = parseOperation(line);
    if (operation !== undefined) this.#apply(operation);
  }

  /**
   * Every state that a power cut now may leave, each with a name that
   * identifies it.
   */
  *remains({ reorders, unsynced }: Carelessness): Generator<[string, Remains]> {
    if (!this.#isSure) yield ["nothing", undefined];
    if (!this.#isMade) return;
    for (const names of this.#possibleNames(reorders)) {
      for (const dat of unsynced) {
        for (const json of unsynced) {
          // Half of a sidecar is no better than none.
          if (json !== "halved") yield remainsOf(names, dat, json);
        }
      }
    }
  }

  #apply(operation: Operation): void {
    const { name, file, to, position = 0, length = 0 } = operation;
    const inode = this.#names.get(file);
    switch (name) {
      case "mkdir":
        this.#isMade = true;
        return;
      case "create":
        if (inode === undefined) this.#change([[file, this.#inode()]]);
        return;
      case "write":
        if (inode !== undefined) this.#write(inode, position, length);
        else this.#dataPosition += length; // a file without a name
        return;
      case "truncate":
        if (inode !== undefined) inode.bytes = resized(inode.bytes, length);
        return;
      case "rename":
        if (inode === undefined) throw new Error(`Cannot rename ${file}`);
        return this.#change([[file, null], [to ?? "", inode]]);
      case "link":
        if (inode === undefined) throw new Error(`Cannot link ${file}`);
        return this.#change([[to ?? "", inode]]);
      case "unlink":
        return this.#change([[file, null]]);
      case "sync":
        if (inode !== undefined) inode.synced = inode.bytes;
        else if (file === this.#dirName) {
          this.#sureNames = new Map(this.#names);
          this.#changes = [];
        } else this.#isSure = this.#isMade;
        return;
      case "utime":
      case "chmod":
        return;
      default:
        throw new Error(`Cannot replay ${name}`);
    }
  }

  #inode(bytes: Uint8Array = new Uint8Array()): Inode {
    return { number: ++this.#inodes, bytes, synced: bytes };
  }

  #change(change: [string, Inode | null][]): void {
    this.#changes.push(new Map(change));
    applyChange(this.#names, new Map(change));
  }

  #write(inode: Inode, position: number, length: number): void {
    const end = this.#dataPosition + length;
    const size = Math.max(inode.bytes.length, position + length);
    const bytes = resized(inode.bytes, size);
    bytes.set(this.#data.subarray(this.#dataPosition, end), position);
    inode.bytes = bytes;
    this.#dataPosition = end;
  }

  /**
   * The names that may be there: without the unsynced changes, with all, with
   * all but one, with one alone.
   */
  *#possibleNames(reorders: boolean): Generator<Names> {
    const changes = this.#changes;
    yield this.#sureNames;
    for (let count = 1; count <= changes.length; count++) {
      const first = changes.slice(0, count);
      yield this.#namesAfter(first);
      if (!reorders) continue;
      const last = first.slice(-1);
      yield this.#namesAfter(last);
      for (const left of first.slice(0, -1)) {
        yield this.#namesAfter(first.filter((change) => change !== left));
      }
    }
  }

  #namesAfter(changes: readonly Change[]): Names {
    const names = new Map(this.#sureNames);
    for (const change of changes) applyChange(names, change);
    return names;
  }
}

function applyChange(names: Map<string, Inode>, change: Change): void {
  for (const [name, inode] of change) {
    if (inode === null) names.delete(name);
    else names.set(name, inode);
  }
}

/** The bytes of every name, and a text that identifies them. */
function remainsOf(
  names: Names,
  dat: Unsynced,
  json: Unsynced,
): [string, Remains] {
  const remains = new Map<string, Uint8Array>();
  const facts: string[] = [];
  for (const [name, inode] of names) {
    const what = name.endsWith(".json")
      ? json
      : name.endsWith(".dat")
      ? dat
      : dat === "lost" && !name.endsWith(".part") // staged bytes do not matter
      ? "halved"
      : "kept";
    const isSure = inode.bytes === inode.synced;
    const bytes = isSure ? inode.bytes : survivors(inode, what);
    remains.set(name, bytes);
    facts.push(`${name} ${inode.number} ${isSure ? "" : what} ${bytes.length}`);
  }
  return [facts.sort().join("\n"), remains];
}

function survivors({ bytes, synced }: Inode, what: Unsynced): Uint8Array {
  const half = Math.floor((synced.length + bytes.length) / 2);
  switch (what) {
    case "kept":
      return bytes;
    case "halved":
      return bytes.subarray(0, half);
    case "lost":
      return synced;
    case "zeroed":
      return resized(synced, bytes.length);
  }
}

function resized(bytes: Uint8Array, length: number): Uint8Array {
  const result = new Uint8Array(length);
  result.set(bytes.subarray(0, length));
  return result;
}
