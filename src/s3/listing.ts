import { startOf } from "./engine_answer.ts";

/** The longest answer that is read, in bytes: 1,000 names of 1,024 bytes, percent-encoded. */
const MAX_LISTING_BYTES = 4_194_304;

/** A page of a listing. */
export interface Listing {
  /** The names, in the order of the store. */
  readonly names: readonly string[];
  /** Whether there are more. */
  readonly isTruncated: boolean;
}

/**
 * Reads the answer to ListObjectsV2 with `encoding-type=url`.
 *
 * The two elements that matter are found without an XML parser: a percent-encoded name
 * holds no markup, so that no name can pass for an element, and there are no entities to
 * expand. A name that is not validly encoded is left out.
 *
 * @throws {Error} If the answer is no whole listing.
 */
export async function namesOf(response: Response): Promise<Listing> {
  const { text, isWhole } = await startOf(response, MAX_LISTING_BYTES);
  if (!isWhole || !/<\/(?:\w{1,16}:)?ListBucketResult>\s*$/.test(text)) {
    throw new Error(
      `Cannot list objects: answer must be a whole ListBucketResult: received ${
        isWhole ? "other text" : "more than 4 MiB"
      }`,
    );
  }
  const names: string[] = [];
  for (const [, encoded = ""] of text.matchAll(/<Key>([^<&]*)<\/Key>/g)) {
    try {
      // Some stores write a space as a plus sign, as forms do.
      names.push(decodeURIComponent(encoded.replaceAll("+", " ")));
    } catch {
      continue;
    }
  }
  const isTruncated = /<IsTruncated>\s*true\s*<\/IsTruncated>/.test(text);
  return { names, isTruncated };
}
