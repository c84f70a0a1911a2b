/**
 * Makes the file operations of a Deno process fail, wait, or end it, as a disk
 * may do at any time. fault_injector.c does the work; it is compiled when first
 * needed.
 */
import { basename, dirname, fromFileUrl, join } from "@std/path";

/** Names of the operations; all but the last five change a file or a name. */
export type OperationName =
  | "create"
  | "write"
  | "truncate"
  | "sync"
  | "rename"
  | "link"
  | "unlink"
  | "mkdir"
  | "rmdir"
  | "utime"
  | "chmod"
  | "open"
  | "read"
  | "lock"
  | "stat"
  | "list";

/** The errors that a disk may give, with their numbers on Linux. */
export const ERRNO = {
  EPERM: 1,
  EIO: 5,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EBUSY: 16,
  EXDEV: 18,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  ENOSPC: 28,
  EROFS: 30,
  EMLINK: 31,
  ENOLCK: 37,
  ENOSYS: 38,
  EOPNOTSUPP: 95,
  ENETUNREACH: 101,
  ENOTCONN: 107,
  ETIMEDOUT: 110,
  EHOSTDOWN: 112,
  EHOSTUNREACH: 113,
  ESTALE: 116,
  EREMOTEIO: 121,
  EDQUOT: 122,
} as const;

/** The code of an error that a disk may give. */
export type ErrorCode = keyof typeof ERRNO;

/** The effects on an operation. */
export type Fault =
  /** The process is killed before the operation. */
  | { action: "kill" }
  /**
   * The process is killed after half of the bytes are written; before the
   * operation, if it is not a write.
   */
  | { action: "half" }
  /** The operation fails. */
  | { action: "fail"; code: ErrorCode }
  /** The operation moves half of its bytes and reports this. */
  | { action: "short" }
  /** The operation waits first. */
  | { action: "delay"; ms: number };

/** Options of {@linkcode faultEnv}. */
export interface FaultOptions {
  /** The effect; none unless given, which is enough to count. */
  fault?: Fault;
  /**
   * The number of the operation that is hit, 1 being the first; every operation
   * unless given.
   */
  at?: number;
  /** Whether all later operations are hit as well. */
  sticky?: boolean;
  /**
   * The operations that count; unless given those that change a file or a name.
   */
  operations?: readonly OperationName[];
  /** A file that says whether operations count, and which is hit then. */
  control?: string;
  /**
   * A file outside the directory that gets a line for each operation that
   * counts.
   */
  log?: string;
  /**
   * A file that gets the bytes of each write that counts, one after the other.
   */
  data?: string;
}

/** An operation, from a line of the log. */
export interface Operation {
  /** The number, 1 being the first. */
  number: number;
  /** The kind of the operation. */
  name: OperationName;
  /** The file's name in the directory; "." is the directory itself. */
  file: string;
  /** The second name of a rename or a link. */
  to?: string;
  /** Where a write or a truncation begins. */
  position?: number;
  /** The bytes of a write, or the new length. */
  length?: number;
}

let compiled: Promise<string> | undefined;

/**
 * Makes the environment of a Deno process whose file operations below a
 * directory are counted. Its child processes are not affected.
 *
 * @param dir The directory; its parent must exist.
 */
export async function faultEnv(
  dir: string,
  { fault, at = 0, sticky = false, operations, control, log, data }:
    FaultOptions = {},
): Promise<Record<string, string>> {
  return {
    LD_PRELOAD: await (compiled ??= compile()),
    FAULT_DIR: join(await Deno.realPath(dirname(dir)), basename(dir)),
    FAULT_AT: `${at}`,
    FAULT_STICKY: sticky ? "1" : "0",
    ...(fault && { FAULT_DO: fault.action }),
    ...(fault?.action === "fail" && { FAULT_ERRNO: `${ERRNO[fault.code]}` }),
    ...(fault?.action === "delay" && { FAULT_MS: `${fault.ms}` }),
    ...(operations && { FAULT_OPS: operations.join(",") }),
    ...(control !== undefined && { FAULT_CONTROL: control }),
    ...(log !== undefined && { FAULT_LOG: log }),
    ...(data !== undefined && { FAULT_DATA: data }),
  };
}

/**
 * Reads one line of a log.
 *
 * @returns The operation; undefined for a line that the program under test
 * added itself.
 */
export function parseOperation(line: string): Operation | undefined {
  const [number, name, path, ...rest] = line.split("\t");
  if (!/^\d+$/.test(number ?? "") || path === undefined) return undefined;
  const operation = {
    number: Number(number),
    name: name as OperationName,
    file: basename(path),
  };
  const [first, second] = rest;
  if (second !== undefined) {
    return { ...operation, position: Number(first), length: Number(second) };
  }
  return first === undefined
    ? operation
    : { ...operation, to: basename(first) };
}

/** Describes an operation for a message, with its keys cut short. */
export function describe({ number, name, file, to }: Operation): string {
  const short = (file: string) =>
    file.replace(/^([0-9a-f]{6})[0-9a-f]{58}/, "$1");
  const target = to === undefined ? "" : ` -> ${short(to)}`;
  return `${number}: ${name} ${short(file)}${target}`;
}

async function compile(): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "fault-injector-" });
  addEventListener(
    "unload",
    () => Deno.removeSync(folder, { recursive: true }),
  );
  const source = fromFileUrl(import.meta.resolve("./fault_injector.c"));
  const library = join(folder, "fault_injector.so");
  const { success, stderr } = await new Deno.Command("gcc", {
    args: [
      "-shared",
      "-fPIC",
      "-O1",
      "-o",
      library,
      source,
      "-ldl",
      "-lpthread",
    ],
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return library;
}
