/*
 * What stands in `.media-cache.changes`, in records of 65 bytes:
 *
 *   0f3a…7c 0000000000000042 9be1…    id, records dropped, digest of both
 *   6b86b273ff34fce19d6b804eff5a3f57…
 *   d4735e3a265e16eee03f59718b9b5d03…
 */
import { hash } from "node:crypto";
import type { DiskFile } from "../disk/disk_file.ts";
import { KEY_REGEXP } from "../text/key.ts";

/** Bytes of the head and of each record. */
export const RECORD_BYTES = 65;

const ID_DIGITS = 16;
const BASE_DIGITS = 16;

/** What the head of a list says. */
export interface ListHead {
  /** Tells the list from others. */
  readonly id: string;
  /** How many records were dropped from the front of the list. */
  readonly base: number;
}

/** The id of a new list. */
export function newListId(): string {
  return crypto.randomUUID().replaceAll("-", "").slice(0, ID_DIGITS);
}

/** The head of a list. */
export function formatHead({ id, base }: ListHead): string {
  const head = id + String(base).padStart(BASE_DIGITS, "0");
  return `${head}${digestOf(head)}\n`;
}

/** What a head says; undefined when it is none. */
export function parseHead(text: string): ListHead | undefined {
  const length = ID_DIGITS + BASE_DIGITS;
  const head = text.slice(0, length);
  if (text !== `${head}${digestOf(head)}\n`) return undefined;
  return { id: head.slice(0, ID_DIGITS), base: Number(head.slice(ID_DIGITS)) };
}

/** The record of a key. */
export function formatRecord(key: string): string {
  return `${key}\n`;
}

/** The keys of some records; undefined when they are none. */
export function parseRecords(text: string): Set<string> | undefined {
  const keys = text.split("\n");
  const isWhole = keys.pop() === "" &&
    keys.every((key) => KEY_REGEXP.test(key));
  return isWhole ? new Set(keys) : undefined;
}

/** Reads a part of a list, or what there is of it. */
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
