/*
 * The format of `.media-cache.changes`: a head, then keys, in records of 65 bytes:
 *
 *   0f3a…7c 0000000000000042 9be1…    id, records dropped, digest of both
 *   6b86b273ff34fce19d6b804eff5a3f57…
 *   d4735e3a265e16eee03f59718b9b5d03…
 */
import { hash } from "node:crypto";
import type { DiskFile } from "../disk/disk_file.ts";
import { KEY_REGEXP } from "../text/key.ts";

/** The bytes of the head, and of each record. */
export const RECORD_BYTES = 65;

const ID_DIGITS = 16;
const BASE_DIGITS = 16;

/** The head of a list. */
export interface ListHead {
  /** The id of the list, by which it is told from other lists. */
  readonly id: string;
  /** The number of records that were dropped from the front. */
  readonly base: number;
}

/** Makes the id of a new list. */
export function newListId(): string {
  return crypto.randomUUID().replaceAll("-", "").slice(0, ID_DIGITS);
}

/** Writes the head of a list. */
export function formatHead({ id, base }: ListHead): string {
  const head = id + String(base).padStart(BASE_DIGITS, "0");
  return `${head}${digestOf(head)}\n`;
}

/** Reads the head of a list; undefined if the text is not one. */
export function parseHead(text: string): ListHead | undefined {
  const length = ID_DIGITS + BASE_DIGITS;
  const head = text.slice(0, length);
  if (text !== `${head}${digestOf(head)}\n`) return undefined;
  return { id: head.slice(0, ID_DIGITS), base: Number(head.slice(ID_DIGITS)) };
}

/** Writes the record of a key. */
export function formatRecord(key: string): string {
  return `${key}\n`;
}

/** Reads the keys of whole records; undefined if the text is anything else. */
export function parseRecords(text: string): Set<string> | undefined {
  const keys = text.split("\n");
  const isWhole = keys.pop() === "" &&
    keys.every((key) => KEY_REGEXP.test(key));
  return isWhole ? new Set(keys) : undefined;
}

/** Reads `length` bytes of a list from a position, or fewer at its end. */
export async function readText(
  file: DiskFile | undefined,
  position: number,
  length: number,
): Promise<string> {
  const bytes = new Uint8Array(length);
  let count = 0;
  while (file !== undefined && count < length) {
    const read = await file.readAt(bytes.subarray(count), position + count);
    if (read === 0) break;
    count += read;
  }
  return new TextDecoder().decode(bytes.subarray(0, count));
}

function digestOf(head: string): string {
  const digits = RECORD_BYTES - 1 - ID_DIGITS - BASE_DIGITS;
  return hash("sha256", head, "hex").slice(0, digits);
}
